//! Where a secret lives (contract 00 section 8).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) const MAX_CHARACTERS: usize = 512;
const MAX_SEGMENTS: usize = 10;
/// These would shadow routes of their own under `/v1/secrets/`.
const RESERVED_FIRST: [&str; 3] = ["metadata", "expiring", "batch"];
const RESERVED_LAST: [&str; 5] = ["versions", "restore", "rotate", "move", "copy"];

/// A valid path: 1 to 10 segments, at most 512 characters, all ASCII. Case-sensitive and never normalised. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretPath(Arc<str>);

impl SecretPath {
    /// Reads a path that is not percent-encoded (from a body or the store).
    ///
    /// # Errors
    /// [`PathError`] with the first reason in the order character, length, segments, depth, reserved word.
    pub fn parse(text: &str) -> Result<SecretPath, PathError> {
        check(text)?;
        Ok(SecretPath(text.into()))
    }

    /// Reads a path from a URL as it stands in the request line. Percent-encoded path characters are decoded, once; an encoded `/`
    /// or `\` and anything that is no path character is refused, so that no proxy in front can see another path than the server.
    ///
    /// # Errors
    /// As [`SecretPath::parse`].
    pub fn from_url(raw: &str) -> Result<SecretPath, PathError> {
        let decoded = decode(raw)?;
        check(&decoded)?;
        Ok(SecretPath(decoded.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn first_segment(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(first, _)| first)
    }

    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SecretPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for SecretPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretPath::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Whether the byte may stand in a segment.
pub(crate) const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn check(text: &str) -> Result<(), PathError> {
    if text.is_empty() {
        return Err(PathReason::Empty.into());
    }
    if !text.bytes().all(|byte| is_path_byte(byte) || byte == b'/') {
        return Err(PathReason::Character.into());
    }
    if text.len() > MAX_CHARACTERS {
        return Err(PathReason::TooLong.into());
    }
    if text.split('/').any(str::is_empty) {
        return Err(PathReason::EmptySegment.into());
    }
    if text.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(PathReason::DotSegment.into());
    }
    if text.split('/').count() > MAX_SEGMENTS {
        return Err(PathReason::TooDeep.into());
    }
    match reserved_word(text) {
        Some(word) => Err(PathError { reason: PathReason::Reserved, reserved: Some(word.to_owned()) }),
        None => Ok(()),
    }
}

fn reserved_word(text: &str) -> Option<&str> {
    let first = text.split('/').next().filter(|first| RESERVED_FIRST.contains(first));
    first.or_else(|| text.rsplit('/').next().filter(|last| RESERVED_LAST.contains(last)))
}

fn decode(raw: &str) -> Result<String, PathError> {
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, tail)) = rest.split_once('%') {
        decoded.push_str(plain);
        let byte = tail.get(..2).and_then(hex_byte).filter(|byte| is_path_byte(*byte)).ok_or(PathReason::Character)?;
        decoded.push(char::from(byte));
        rest = tail.get(2..).unwrap_or_default();
    }
    decoded.push_str(rest);
    Ok(decoded)
}

fn hex_byte(digits: &str) -> Option<u8> {
    // from_str_radix alone would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// A plain string that paths may begin with; may end in `/` or in the middle of a segment. May be empty: every path begins with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// # Errors
    /// `character` for what is neither a path character nor `/`, `too_long` above 512; both 400 `invalid_path`.
    pub fn parse(text: &str) -> Result<PathPrefix, PathError> {
        if !text.bytes().all(|byte| is_path_byte(byte) || byte == b'/') {
            return Err(PathReason::Character.into());
        }
        if text.len() > MAX_CHARACTERS {
            return Err(PathReason::TooLong.into());
        }
        Ok(PathPrefix(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, path: &str) -> bool {
        path.starts_with(&self.0)
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path that is not valid: 400 `invalid_path`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reason.message())]
pub struct PathError {
    pub reason: PathReason,
    /// The reserved word, for [`PathReason::Reserved`]: `details.reserved`.
    pub reserved: Option<String>,
}

impl From<PathReason> for PathError {
    fn from(reason: PathReason) -> PathError {
        PathError { reason, reserved: None }
    }
}

/// `details.reason` of 400 `invalid_path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathReason {
    Empty,
    TooLong,
    TooDeep,
    EmptySegment,
    DotSegment,
    Character,
    Reserved,
}

impl PathReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            PathReason::Empty => "empty",
            PathReason::TooLong => "too_long",
            PathReason::TooDeep => "too_deep",
            PathReason::EmptySegment => "empty_segment",
            PathReason::DotSegment => "dot_segment",
            PathReason::Character => "character",
            PathReason::Reserved => "reserved",
        }
    }

    /// For people; holds nothing of the path, which may come from an attacker.
    pub const fn message(self) -> &'static str {
        match self {
            PathReason::Empty => "a path must not be empty",
            PathReason::TooLong => "a path has at most 512 characters",
            PathReason::TooDeep => "a path has at most 10 segments",
            PathReason::EmptySegment => "a path has no leading, trailing or double slash",
            PathReason::DotSegment => "a path segment must not be '.' or '..'",
            PathReason::Character => "a path segment consists of letters, digits, '-', '_' and '.'",
            PathReason::Reserved => "the path's first or last segment is reserved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> &'static str {
        match (SecretPath::parse(text), SecretPath::from_url(text)) {
            (Ok(plain), Ok(url)) if plain == url => "valid",
            (Err(plain), Err(url)) if plain == url => plain.reason.as_str(),
            other => panic!("plain and URL form differ for {text:?}: {other:?}"),
        }
    }

    fn url_reason(text: &str) -> &'static str {
        SecretPath::from_url(text).map_or_else(|error| error.reason.as_str(), |_| "valid")
    }

    #[test]
    fn p1_p2_p8_valid_paths() {
        // P-1, P-8, P-11
        for text in ["a", "app/db/password", "A/b_C-d.e/0", ".env/x", "a..b/...", "App/db"] {
            assert_eq!(reason(text), "valid", "{text}");
            assert_eq!(SecretPath::parse(text).unwrap().as_str(), text);
        }
        for text in ["a/metadata", "a/expiring", "versions/a", "Metadata/x", "a/rotate/b", "a/versions2"] {
            assert_eq!(reason(text), "valid", "{text}");
        }
        // P-2
        assert_eq!(reason("a/b/c/d/e/f/g/h/i/j"), "valid");
        assert_eq!(reason(&"a".repeat(512)), "valid");
    }

    #[test]
    fn p3_to_p5_shape() {
        // P-3
        assert_eq!(reason("a/b/c/d/e/f/g/h/i/j/k"), "too_deep");
        assert_eq!(reason(&"a".repeat(513)), "too_long");
        // P-4
        assert_eq!(reason(""), "empty");
        for text in ["/a", "a/", "a//b", "/"] {
            assert_eq!(reason(text), "empty_segment", "{text}");
        }
        // P-5
        assert_eq!(reason("a/./b"), "dot_segment");
        assert_eq!(reason(".."), "dot_segment");
        assert_eq!(url_reason("a/%2e%2e/b"), "dot_segment");
    }

    #[test]
    fn p6_characters() {
        for text in ["a%2Fb", "a%2fb", "a%5Cb", "a%00b", "a%0Ab", "%C3%A9", "a b", "a:b", "a%zz", "a*"] {
            assert_eq!(reason(text), "character", "{text}");
        }
        for text in ["a%", "a%6", "a%+6", "%25", "%2561", "a\\b", "é", "a\0b", "%é", "a+b", "a?b"] {
            assert_eq!(url_reason(text), "character", "{text}");
        }
    }

    #[test]
    fn p7_reserved_words_are_named() {
        let table = [
            ("metadata/x", "metadata"),
            ("expiring/x", "expiring"),
            ("batch", "batch"),
            ("batch/x", "batch"),
            ("a/versions", "versions"),
            ("versions", "versions"),
            ("a/restore", "restore"),
            ("rotate", "rotate"),
            ("a/move", "move"),
            ("a/copy", "copy"),
        ];
        for (text, word) in table {
            assert_eq!(reason(text), "reserved", "{text}");
            assert_eq!(SecretPath::parse(text).unwrap_err().reserved.as_deref(), Some(word), "{text}");
        }
        assert_eq!(url_reason("a/%76ersions"), "reserved");
    }

    #[test]
    fn url_decoding_yields_the_plain_path() {
        assert_eq!(SecretPath::from_url("%61pp/d%62").unwrap(), SecretPath::parse("app/db").unwrap());
        assert_eq!(SecretPath::from_url("%61pp").unwrap().first_segment(), "app");
        assert_eq!(SecretPath::parse("app/db/x").unwrap().first_segment(), "app");
        // The limit counts characters of the path, not of its encoding.
        assert_eq!(url_reason(&"%61".repeat(512)), "valid");
    }

    #[test]
    fn prefixes_are_plain_strings() {
        for text in ["", "a", "app/", "app/d", "/x", "a//b", "metadata", "a/..", "a/b/c/d/e/f/g/h/i/j/k/l"] {
            assert_eq!(PathPrefix::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(PathPrefix::parse("a*").unwrap_err().reason, PathReason::Character);
        assert_eq!(PathPrefix::parse("a b").unwrap_err().reason, PathReason::Character);
        assert_eq!(PathPrefix::parse(&"a".repeat(513)).unwrap_err().reason, PathReason::TooLong);
        assert!(
            PathPrefix::parse("app/d").unwrap().matches("app/db")
                && !PathPrefix::parse("app/d").unwrap().matches("app")
        );
    }
}
