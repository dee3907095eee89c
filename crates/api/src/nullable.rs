//! Fields of a PATCH body, where absent, `null` and a value mean three things: `Option<Option<T>>` with
//! `#[serde(default, skip_serializing_if = "Option::is_none", with = "crate::nullable")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Only called for what is there: `None` is skipped.
#[allow(clippy::ref_option, reason = "serde's `with` gives a reference to the field")]
pub(crate) fn serialize<T: Serialize, S: Serializer>(
    value: &Option<Option<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().and_then(Option::as_ref).serialize(serializer)
}

/// Only called for what is there, be it `null`.
pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use crate::policy::PolicyPatch;

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        for (text, description) in [
            ("{}", None),
            (r#"{"description":null}"#, Some(None)),
            (r#"{"description":"x"}"#, Some(Some("x".to_owned()))),
        ] {
            let patch: PolicyPatch = serde_json::from_str(text).unwrap();
            assert_eq!(patch.description, description);
            assert_eq!(serde_json::to_string(&patch).unwrap(), text);
        }
    }
}
