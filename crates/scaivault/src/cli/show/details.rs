//! One thing: a line a field.

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::json::{Object, is_scalar, list, object, plain};
use super::text::printable;

/// Fields of an object, those inside others as `a.b` and `a[0].b`.
pub(crate) fn details(object: &Object<'_>, without: &[&str]) -> Zeroizing<String> {
    let mut lines = Lines::default();
    for (name, value) in object.iter().filter(|(name, _)| !without.contains(name)) {
        flatten(name, value, &mut lines);
    }
    lines.text()
}

fn flatten(name: &str, value: &RawValue, lines: &mut Lines) {
    if let Some(fields) = object(value).filter(|fields| fields.iter().next().is_some()) {
        for (inner, value) in fields.iter() {
            flatten(&format!("{name}.{inner}"), value, lines);
        }
        return;
    }
    match list(value) {
        Some(items) if !items.iter().all(|item| is_scalar(item)) => {
            for (number, item) in items.into_iter().enumerate() {
                flatten(&format!("{name}[{number}]"), item, lines);
            }
        }
        _ => lines.add(name, &plain(Some(value))),
    }
}

/// Names and texts, the texts in line.
#[derive(Default)]
pub(crate) struct Lines(Vec<(String, Zeroizing<String>)>);

impl Lines {
    pub(crate) fn add(&mut self, name: &str, text: &str) {
        self.0.push((printable(name).into_owned(), Zeroizing::new(text.to_owned())));
    }

    pub(crate) fn text(&self) -> Zeroizing<String> {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let mut text = Zeroizing::new(String::new());
        for (name, value) in &self.0 {
            // A text of several lines, a certificate say, stays one.
            let mut name = name.as_str();
            for line in value.trim_end_matches('\n').split('\n') {
                text.push_str(format!("{name:width$}  {}", printable(line)).trim_end());
                text.push('\n');
                name = "";
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_line() {
        let answer = r#"{"id":"x","e":{},"m":{"tags":["a","b"],"owner":null},"rules":[{"p":"**"}],"pem":"one\ntwo\n"}"#;
        let text = details(&serde_json::from_str(answer).unwrap(), &["e"]);
        assert_eq!(
            text.as_str(),
            "id          x\nm.tags      a, b\nm.owner     -\nrules[0].p  **\npem         one\n            two\n"
        );
    }
}
