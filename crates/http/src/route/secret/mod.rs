//! `/v1/secrets` and `/v1/partner/secrets`.

mod batch;
mod list;
mod options;
mod parse;
mod relocate;
mod render;

pub(crate) use batch::{metadata as batch_metadata, overviews, read as batch_read, values};
pub(crate) use list::{expiring, expiring_page, list, page};
pub(crate) use options::{metadata_patch, options_change};
pub(crate) use parse::{delete, metadata, patch, read, restore, rotate, secret_type, versions, write};
pub(crate) use relocate::{copied, copy, move_secrets, moved};
pub(crate) use render::{deleted, overview, overview_of, rotated, value, version_list, written};
