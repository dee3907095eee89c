//! The JSON object that a request carries. Texts that a user gave as JSON go out as they came in, digits and all.

use std::fmt;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::cli::show::json::Object;
use crate::failure::Failure;

/// Fields in their order, values as JSON texts.
#[derive(Default)]
pub(crate) struct Body(Vec<(String, Zeroizing<String>)>);

/// It may hold secrets: names only.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Body {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The fields of an object that a file holds.
    pub(crate) fn from_json(text: &[u8], origin: &str) -> Result<Self, Failure> {
        let text = std::str::from_utf8(text).map_err(|_| Failure::usage(format!("{origin} is not UTF-8")))?;
        let object: Object<'_> = serde_json::from_str(text).map_err(|error| not_an_object(origin, &error))?;
        let fields = object.iter().map(|(name, value)| (name.to_owned(), Zeroizing::new(value.get().to_owned())));
        Ok(Self(fields.collect()))
    }

    /// A field; it takes the place of an earlier one of that name.
    pub(crate) fn with(self, name: &str, value: impl Into<Value>) -> Self {
        self.text_of(name, Zeroizing::new(value.into().to_string()))
    }

    pub(crate) fn maybe<T: Into<Value>>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// A list, if anything is in it.
    pub(crate) fn list(self, name: &str, values: &[String]) -> Self {
        if values.is_empty() { self } else { self.with(name, values.to_vec()) }
    }

    /// An object in this one, if it has fields.
    pub(crate) fn object(self, name: &str, object: &Body) -> Self {
        if object.0.is_empty() { self } else { self.text_of(name, object.text()) }
    }

    /// An object in this one, empty or not.
    pub(crate) fn data(self, name: &str, object: &Body) -> Self {
        self.text_of(name, object.text())
    }

    fn text_of(mut self, name: &str, text: Zeroizing<String>) -> Self {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = text,
            None => self.0.push((name.to_owned(), text)),
        }
        self
    }

    /// This field and no other.
    pub(crate) fn only(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known == name);
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn text(&self) -> Zeroizing<String> {
        // One allocation: a string that grows leaves copies behind.
        let size = self.0.iter().map(|(name, value)| name.len() * 6 + value.len() + 4).sum::<usize>() + 2;
        let mut text = Zeroizing::new(String::with_capacity(size));
        text.push('{');
        for (number, (name, value)) in self.0.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            text.push_str(&Value::from(name.as_str()).to_string());
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

/// The parser's own words could quote what it read.
fn not_an_object(origin: &str, error: &serde_json::Error) -> Failure {
    let (line, column) = (error.line(), error.column());
    Failure::usage(format!("{origin} is not a JSON object: look at line {line}, column {column}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_out_as_it_came_in() {
        let body = Body::from_json(br#"{ "z": 1e400, "a":{"n": 1.0} }"#, "f").unwrap();
        assert_eq!(
            body.with("z", 1).maybe("m", None::<u64>).with("t", "x\"y").text().as_str(),
            r#"{"z":1,"a":{"n": 1.0},"t":"x\"y"}"#
        );
        assert_eq!(Body::new().object("o", &Body::new()).data("data", &Body::new()).text().as_str(), r#"{"data":{}}"#);
    }

    #[test]
    fn a_refusal_quotes_nothing() {
        for bad in [&b"[\"hunter2\"]"[..], b"hunter2", b"{\"p\":hunter2}", b"\"hunter2\"", b"\xff", b""] {
            let failure = Body::from_json(bad, "data.json").unwrap_err();
            assert!(
                failure.line.starts_with("data.json is not ") && !failure.line.contains("hunter2"),
                "{}",
                failure.line
            );
            assert_eq!(failure.exit_code, 5);
        }
        let body = Body::new().with("p", "hunter2");
        assert_eq!(format!("{body:?}"), r#"{"p"}"#);
    }
}
