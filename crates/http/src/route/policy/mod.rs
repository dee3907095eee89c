//! `/v1/policies`.

mod parse;
mod render;
mod rules;

pub(crate) use parse::{bind, bindings, create, delete, get, list, patch, replace, test, unbind};
pub(crate) use render::{binding, binding_page, detail, detail_of, page, tested};
