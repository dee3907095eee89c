//! `/v1/rotation`.

mod policy;
mod rotation;

pub(crate) use policy::*;
pub(crate) use rotation::*;
