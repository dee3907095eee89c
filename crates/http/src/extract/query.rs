//! The query string: decoded strictly, read by name, every fault noted (contract 00 section 1: `?permanant=true` must not do
//! a soft delete).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use percent_encoding::percent_decode_str;
use scaivault_domain::time::{ParsedTime, Timestamp};
use scaivault_service::error::{FaultCode, FieldFault};

use super::Faults;
use super::shape::{Integer, Text, Time};

/// The parameters that say which page is wanted and not what of; no cursor is bound to them (contract 00 section 6).
const PAGE: [&str; 2] = ["limit", "cursor"];

/// The decoded parameters in the order sent.
#[derive(Clone, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
    /// What could not be decoded. Kept until a reader asks: authentication answers first (contract 00 section 3).
    malformed: Vec<FieldFault>,
}

impl Query {
    /// Decodes `application/x-www-form-urlencoded`. Never fails: faults wait for [`QueryReader::new`].
    pub fn parse(raw: Option<&str>) -> Self {
        let mut query = Self::default();
        for part in raw.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => query.pairs.push((name, value)),
                (name, _) => query.malformed.push(FieldFault::new(
                    name.map_or("query".to_owned(), |name| shown(&name)),
                    FaultCode::Format,
                    "has a bad percent escape or is not UTF-8",
                )),
            }
        }
        query
    }

    /// All parameters but `limit` and `cursor`: what a cursor is bound to. The values of one name are sorted, because
    /// `tag=a&tag=b` asks the same as `tag=b&tag=a`.
    pub fn filters(&self) -> BTreeMap<String, Vec<String>> {
        let mut filters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in self.pairs.iter().filter(|(name, _)| !PAGE.contains(&name.as_str())) {
            filters.entry(name.clone()).or_default().push(value.clone());
        }
        filters.values_mut().for_each(|values| values.sort());
        filters
    }

    /// This query with the filters of a cursor where it names none itself (contract 00 section 6: filters left out on a
    /// follow-up are taken from the cursor). Afterwards `filters() == filters` says that the query contradicts nothing.
    #[must_use]
    pub fn with_filters(mut self, filters: &BTreeMap<String, Vec<String>>) -> Self {
        for (name, values) in filters {
            if !self.pairs.iter().any(|(own, _)| own == name) {
                self.pairs.extend(values.iter().map(|value| (name.clone(), value.clone())));
            }
        }
        self
    }

    /// The first value of a parameter, unchecked; for what must be known before the query is read (`cursor`).
    pub fn first(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Reads parameters by name. What no getter took when the reader is dropped is an `unknown` fault.
pub struct QueryReader<'a> {
    faults: &'a Faults,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> QueryReader<'a> {
    pub fn new(query: &'a Query, faults: &'a Faults) -> Self {
        for fault in &query.malformed {
            faults.field(fault.field.clone(), fault.code, fault.message.clone());
        }
        let pairs = query.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Self { faults, pairs }
    }

    pub fn string(&mut self, name: &str, rule: &Text) -> Option<String> {
        self.one(name).filter(|value| rule.check(value, name, self.faults)).map(str::to_owned)
    }

    /// The value without any rule: for parameters whose parser has an error code of its own (`prefix`, `cursor`).
    pub fn raw(&mut self, name: &str) -> Option<&'a str> {
        self.one(name)
    }

    /// Every value of a parameter that may be repeated, in the order sent.
    pub fn strings(&mut self, name: &str, rule: &Text) -> Vec<String> {
        let values = self.take(name);
        values.into_iter().filter(|value| rule.check(value, name, self.faults)).map(str::to_owned).collect()
    }

    /// `true` or `false`, nothing else.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = match self.one(name)? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.or_fault(value, name, FaultCode::Type, "must be true or false")
    }

    /// Digits with an optional `-`; no `+`, no blanks.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.one(name)?;
        let digits = value.strip_prefix('-').unwrap_or(value);
        let number = (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(value);
        let number = self.or_fault(number, name, FaultCode::Type, "must be an integer")?;
        Integer(range).check(number.parse().ok(), name, self.faults)
    }

    /// `limit` of a cursor list: `default` when absent, 1 to `max` (contract 00 section 6).
    pub fn limit(&mut self, default: u32, max: u32) -> u32 {
        let limit = self.integer("limit", 1..=i64::from(max));
        limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(default)
    }

    /// RFC 3339 with an offset. A `+` of an offset must be sent as `%2B`: a bare one is a blank in a query.
    pub fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed_time(name).map(|parsed| parsed.timestamp)
    }

    /// As [`Self::time`], and whether the client named a fraction of a second.
    pub fn parsed_time(&mut self, name: &str) -> Option<ParsedTime> {
        let value = self.one(name)?;
        Time::check(value, name, self.faults)
    }

    /// One of a closed list of words.
    pub fn one_of<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let value = self.one(name)?;
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, found)| *found);
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.or_fault(found, name, FaultCode::Format, &format!("must be one of {}", all.join(", ")))
    }

    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(own, _)| *own == name)
    }

    pub fn fault(&self, name: &str, code: FaultCode, message: &str) {
        self.faults.field(name, code, message);
    }

    /// Lets the reader go: what was not read becomes `unknown` faults. Dropping it does the same.
    pub fn finish(self) {}

    fn one(&mut self, name: &str) -> Option<&'a str> {
        let values = self.take(name);
        if values.len() > 1 {
            self.fault(name, FaultCode::Conflict, "must not be repeated");
            return None;
        }
        values.first().copied()
    }

    fn take(&mut self, name: &str) -> Vec<&'a str> {
        self.pairs.extract_if(.., |(own, _)| *own == name).map(|(_, value)| value).collect()
    }

    fn or_fault<T>(&self, value: Option<T>, name: &str, code: FaultCode, message: &str) -> Option<T> {
        if value.is_none() {
            self.fault(name, code, message);
        }
        value
    }
}

impl Drop for QueryReader<'_> {
    fn drop(&mut self) {
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in &self.pairs {
            if seen.len() < 100 && !seen.contains(name) {
                seen.push(name);
                self.faults.field(shown(name), FaultCode::Unknown, "is not a known query parameter");
            }
        }
    }
}

/// A client's name as an answer shows it: not at any length.
fn shown(name: &str) -> String {
    name.chars().take(128).collect()
}

fn decode(part: &str) -> Option<String> {
    let mut rest = part;
    while let Some((_, after)) = rest.split_once('%') {
        let escape = after.as_bytes().get(..2)?;
        if !escape.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = after.get(2..)?;
    }
    let spaced = if part.contains('+') { Cow::Owned(part.replace('+', " ")) } else { Cow::Borrowed(part) };
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use scaivault_service::error::Error;

    use super::*;

    fn read<T>(raw: &str, read: impl FnOnce(&mut QueryReader<'_>) -> T) -> (T, Result<(), Error>) {
        let faults = Faults::new();
        let query = Query::parse(Some(raw));
        let mut reader = QueryReader::new(&query, &faults);
        let value = read(&mut reader);
        reader.finish();
        (value, faults.finish())
    }

    fn faults(result: Result<(), Error>) -> Vec<(String, String)> {
        let Err(error) = result else { return Vec::new() };
        let list = error.details()["fields"].as_array().unwrap().clone();
        let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
        list.iter().map(|entry| (text(entry, "field"), text(entry, "code"))).collect()
    }

    fn pair(field: &str, code: &str) -> (String, String) {
        (field.to_owned(), code.to_owned())
    }

    #[test]
    fn c_6_limits_outside_the_range_are_refused() {
        for (raw, code) in [
            ("limit=0", "range"),
            ("limit=201", "range"),
            ("limit=x", "type"),
            ("limit=", "type"),
            ("limit=%2B5", "type"),
            ("limit=-", "type"),
            ("limit=-1", "range"),
            ("limit=99999999999999999999", "range"),
            ("limit=1&limit=2", "conflict"),
        ] {
            let (_, result) = read(raw, |query| query.limit(50, 200));
            assert_eq!(faults(result), [pair("limit", code)], "{raw}");
        }
        assert_eq!(read("limit=200", |query| query.limit(50, 200)).0, 200);
        assert_eq!(read("", |query| query.limit(50, 200)).0, 50);
    }

    #[test]
    fn c_7_unknown_parameters_are_named_once() {
        let (_, result) = read("foo=1&permanent=true&foo=2", |query| query.boolean("permanent"));
        assert_eq!(faults(result), [pair("foo", "unknown")]);
    }

    #[test]
    fn values_are_decoded_as_a_form() {
        let (values, result) = read("q=a+b%2Bc%C3%A9&tag=x&tag=y", |query| {
            (query.string("q", &Text::chars(1..=128)), query.strings("tag", &Text::max(64)))
        });
        assert!(result.is_ok());
        assert_eq!(values, (Some("a b+cé".to_owned()), vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn bad_escapes_and_bad_utf8_are_faults() {
        for raw in ["q=%zz", "q=%4", "q=%", "q=%C3", "q=%+1", "q=%\u{e9}1"] {
            assert_eq!(faults(read(raw, |_| ()).1), [pair("q", "format")], "{raw}");
        }
        assert_eq!(faults(read("%zz=1", |_| ()).1), [pair("query", "format")]);
    }

    #[test]
    fn booleans_are_true_or_false() {
        for raw in ["b=1", "b=TRUE", "b", "b="] {
            assert_eq!(faults(read(raw, |query| query.boolean("b")).1), [pair("b", "type")], "{raw}");
        }
        assert_eq!(read("b=false", |query| query.boolean("b")).0, Some(false));
    }

    #[test]
    fn times_need_an_offset() {
        assert_eq!(faults(read("at=2026-01-01T00:00:00", |query| query.time("at")).1), [pair("at", "format")]);
        let (time, result) = read("at=1970-01-01T01:00:01%2B01:00", |query| query.time("at"));
        assert!(result.is_ok());
        assert_eq!(time, Some(Timestamp::from_seconds(1)));
    }

    #[test]
    fn a_cursor_fills_in_filters_that_are_missing() {
        let first = Query::parse(Some("prefix=a&tag=y&tag=x&limit=2"));
        let filters = first.filters();
        assert_eq!(filters.len(), 2);
        let next = Query::parse(Some("limit=9&cursor=c")).with_filters(&filters);
        assert_eq!(next.filters(), filters);
        assert_eq!(next.first("cursor"), Some("c"));
        assert_eq!(Query::parse(Some("tag=x&tag=y")).with_filters(&filters).filters(), filters);
        assert_ne!(Query::parse(Some("prefix=b")).with_filters(&filters).filters(), filters);
        assert_ne!(Query::parse(Some("q=1")).with_filters(&filters).filters(), filters);
    }
}
