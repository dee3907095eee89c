//! `/v1/secrets` and `/v1/partner/secrets`.

mod list;
mod options;
mod parse;
mod render;

pub(crate) use list::{expiring, expiring_page, list, page};
pub(crate) use options::{metadata_patch, options_change};
pub(crate) use parse::{delete, metadata, patch, read, restore, rotate, secret_type, versions, write};
pub(crate) use render::{deleted, overview, overview_of, rotated, value, version_list, written};
