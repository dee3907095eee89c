//! Names that must be unique, and ids made of them (contract 00 section 2).

use scaivault_domain::id;
use scaivault_store::{StoreError, StoreResult};

use crate::context::Context;
use crate::error::{Code, Error, Result};

/// 409: `id` has the value of `field` already.
pub(crate) fn name_exists(field: &str, value: &str, id: &str) -> Error {
    taken(field, value).with("id", id)
}

/// What a write came to, where a unique index guards `field` too: of two requests at one moment the later one hears the same as
/// if it had come a second after.
pub(crate) fn unique<T>(written: StoreResult<T>, field: &str, value: &str) -> Result<T> {
    written.map_err(|error| match error {
        StoreError::Constraint { .. } => taken(field, value),
        other => Error::from(other),
    })
}

fn taken(field: &str, value: &str) -> Error {
    Error::new(Code::NameExists, format!("'{value}' is taken; choose another {field}, or use what has it"))
        .with("field", field)
}

/// An id made of a name: prefix and slug, and four characters more when that is taken.
pub(crate) fn slug_id(
    prefix: &str,
    name: &str,
    cx: &Context<'_>,
    mut is_taken: impl FnMut(&str) -> StoreResult<bool>,
) -> Result<String> {
    /// Each has a million endings to choose from; more attempts than this mean that something else is wrong.
    const ATTEMPTS: usize = 16;
    let slug = id::slug(name);
    let plain = format!("{prefix}{slug}");
    if !is_taken(&plain)? {
        return Ok(plain);
    }
    for _ in 0..ATTEMPTS {
        let other = format!("{prefix}{}", id::slug_with_suffix(&slug, &cx.four_chars()?));
        if !is_taken(&other)? {
            return Ok(other);
        }
    }
    Err(Error::internal("no free id was found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_told_as_a_taken_name() {
        let raced: StoreResult<()> = Err(StoreError::Constraint { constraint: "policy_name".to_owned() });
        let error = unique(raced, "name", "ops").unwrap_err();
        assert_eq!(error.code(), Code::NameExists);
        assert_eq!(error.details()["field"], "name");
        assert!(error.details().get("id").is_none());
        assert_eq!(name_exists("name", "ops", "pol_1").details()["id"], "pol_1");
        let broken: StoreResult<()> = Err(StoreError::Unavailable("disk".to_owned()));
        assert_eq!(unique(broken, "name", "ops").unwrap_err().code(), Code::ServiceUnavailable);
    }
}
