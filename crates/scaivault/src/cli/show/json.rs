//! JSON as it was sent: fields in their order, numbers with their digits. Everything borrows from the answer's bytes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object whose fields nobody reordered.
#[derive(Debug)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// `a.b` is the field `b` of the object `a`.
    pub(crate) fn at(&self, dotted: &str) -> Option<&'a RawValue> {
        match dotted.split_once('.') {
            None => self.get(dotted),
            Some((name, rest)) => object(self.get(name)?)?.at(rest),
        }
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() == "true")
    }

    pub(crate) fn string(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| serde_json::from_str(value.get()).ok())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Serde borrows a `Cow` only where it is told to.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// As an object, if it is one.
pub(crate) fn object(value: &RawValue) -> Option<Object<'_>> {
    serde_json::from_str(value.get()).ok()
}

/// As a list, if it is one.
pub(crate) fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// A string as its text, everything else as its JSON.
pub(crate) fn bare(value: &RawValue) -> Cow<'_, str> {
    if let Ok(Name(text)) = serde_json::from_str(value.get()) { text } else { Cow::Borrowed(value.get()) }
}

/// For a cell or a line: nothing is `-`, a list of plain values is separated by commas.
pub(crate) fn plain(value: Option<&RawValue>) -> Cow<'_, str> {
    let Some(value) = value.filter(|value| value.get() != "null") else { return Cow::Borrowed("-") };
    match list(value) {
        Some(items) if items.is_empty() => Cow::Borrowed("-"),
        Some(items) if items.iter().all(|item| is_scalar(item)) => {
            Cow::Owned(items.into_iter().map(bare).collect::<Vec<_>>().join(", "))
        }
        _ => bare(value),
    }
}

pub(crate) fn is_scalar(value: &RawValue) -> bool {
    !value.get().starts_with(['{', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_order_and_digits() {
        let object: Object<'_> =
            serde_json::from_str(r#"{"z":{"y":1e400},"a":"t\n","l":["x",1],"e":[],"n":null}"#).unwrap();
        assert_eq!(object.iter().map(|(name, _)| name).collect::<String>(), "zalen");
        assert_eq!(plain(object.at("z.y")), "1e400");
        assert_eq!(plain(object.get("a")), "t\n");
        assert_eq!(["l", "e", "n", "q"].map(|name| plain(object.get(name))), ["x, 1", "-", "-", "-"]);
        assert!(serde_json::from_str::<Object<'_>>("[]").is_err());
    }
}
