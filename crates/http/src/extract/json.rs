//! A JSON body as sent: key order, the text of numbers and the escapes of strings are kept, white space is not
//! (contract 00 section 1).
//!
//! serde_json checks the grammar (as a `RawValue`, which reads no number and so loses none: `1e400` is fine). One scan over
//! the then valid text drops the white space and looks for what serde_json lets pass: duplicate keys, lone surrogates, deep
//! nesting. What remains is one text in one buffer that is wiped when dropped; a [`Node`] is a slice of it. No tree is built: the body
//! may be two megabytes of `[0,0,0...]`, and a tree of that is fifty.
//!
//! Errors name a line and a column and never a key or a value: a key inside `data` may be as secret as its value.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use scaivault_domain::recipe;
use scaivault_service::error::{Code, Error, Result};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

/// How deep objects and arrays may stand in each other; the body itself is level 1 (contract 00 section 1).
pub const MAX_DEPTH: usize = 64;

/// A request body: a JSON object without insignificant white space. Wiped when dropped; does not print.
pub struct Json {
    text: Zeroizing<String>,
}

impl Json {
    /// Errors: 400 `invalid_request` with `details.reason` `invalid_utf8`, `not_json`, `not_an_object`, `duplicate_key`,
    /// `lone_surrogate` or `too_deep` (contract 00 section 1).
    pub fn parse(body: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(body).map_err(|error| {
            let valid = body.get(..error.valid_up_to()).unwrap_or_default();
            refuse("invalid_utf8", "is not UTF-8", Position::after(valid))
        })?;
        if text.trim_ascii().is_empty() {
            return Err(refuse("not_json", "is empty where a JSON object is needed", Position { line: 1, column: 1 }));
        }
        serde_json::from_str::<&RawValue>(text).map_err(|error| {
            refuse("not_json", "is not valid JSON", Position { line: error.line(), column: error.column() })
        })?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(refuse("not_an_object", "is not a JSON object", Position { line: 1, column: 1 }));
        }
        Scan::new(text).run().map(|text| Self { text })
    }

    /// Parses a body and wipes its buffer. Where someone else still holds the buffer, it can't be wiped and isn't.
    pub fn from_body(body: Bytes) -> Result<Self> {
        let parsed = Self::parse(&body);
        wipe(body);
        parsed
    }

    /// The body `{}`, for requests that may come without one.
    pub fn empty() -> Self {
        Self { text: Zeroizing::new("{}".to_owned()) }
    }

    pub fn root(&self) -> Node<'_> {
        Node { text: &self.text }
    }
}

/// Overwrites a buffer that no one else holds.
pub fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
}

/// One value of a body, whatever its type.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl<'a> Node<'a> {
    pub fn kind(self) -> Kind {
        match self.text.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Null,
        }
    }

    /// As sent without insignificant white space. A copy that wipes itself.
    pub fn compact(self) -> Zeroizing<String> {
        Zeroizing::new(self.text.to_owned())
    }

    /// The same without the copy.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The decoded string; `None` for any other type.
    pub fn string(self) -> Option<Zeroizing<String>> {
        (self.kind() == Kind::String).then(|| serde_json::from_str(self.text).ok().map(Zeroizing::new)).flatten()
    }

    pub fn boolean(self) -> Option<bool> {
        match self.text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The members of an object in the order sent; `None` for any other type.
    pub fn members(self) -> Option<Vec<(Cow<'a, str>, Node<'a>)>> {
        let members = recipe::members(self.text)?;
        Some(members.into_iter().map(|(key, raw)| (key, Node { text: raw.get() })).collect())
    }

    /// How many items an array has, without a list of them; `None` for any other type.
    pub fn count(self) -> Option<usize> {
        serde_json::from_str::<Vec<IgnoredAny>>(self.text).ok().map(|items| items.len())
    }

    /// The items of an array; `None` for any other type.
    pub fn items(self) -> Option<Vec<Node<'a>>> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.text).ok()?;
        Some(items.into_iter().map(|raw| Node { text: raw.get() }).collect())
    }
}

/// The one pass over valid JSON: see the module text.
struct Scan<'a> {
    text: &'a str,
    out: Zeroizing<String>,
    /// What is open; an object with the keys it has so far.
    open: Vec<Option<Keys<'a>>>,
    at_key: bool,
}

/// The keys of an open object, decoded. The ones that had escapes are copies, and wiped.
#[derive(Default)]
struct Keys<'a>(HashSet<Cow<'a, str>>);

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        for key in self.0.drain() {
            if let Cow::Owned(mut copy) = key {
                copy.zeroize();
            }
        }
    }
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        // The output is never longer than the input: with this capacity it never moves and leaves no copy behind.
        Self { text, out: Zeroizing::new(String::with_capacity(text.len())), open: Vec::new(), at_key: false }
    }

    fn run(mut self) -> Result<Zeroizing<String>> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let mut end = at + 1;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => {
                    at = end;
                    continue;
                }
                b'"' => {
                    end = string_end(bytes, at);
                    self.string(at, end)?;
                }
                b'{' | b'[' => self.enter(byte == b'{', at)?,
                b'}' | b']' => {
                    self.open.pop();
                    self.at_key = false;
                }
                b',' => self.at_key = matches!(self.open.last(), Some(Some(_))),
                b':' => self.at_key = false,
                // A number or a literal.
                _ => {}
            }
            self.out.push_str(self.text.get(at..end).unwrap_or_default());
            at = end;
        }
        Ok(std::mem::take(&mut self.out))
    }

    fn enter(&mut self, object: bool, at: usize) -> Result<()> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.refuse("too_deep", &format!("is nested deeper than {MAX_DEPTH} levels"), at));
        }
        self.open.push(object.then(Keys::default));
        self.at_key = object;
        Ok(())
    }

    fn string(&mut self, at: usize, end: usize) -> Result<()> {
        let literal = self.text.get(at..end).unwrap_or_default();
        let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
        let mut value = Cow::Borrowed(inner);
        if inner.contains('\\') {
            // The grammar lets `\ud800` alone pass; it has no place in UTF-8.
            let decoded = serde_json::from_str::<String>(literal);
            value = Cow::Owned(decoded.map_err(|_| self.refuse("lone_surrogate", "has a lone surrogate", at))?);
        }
        if self.at_key
            && let Some(Some(keys)) = self.open.last_mut()
        {
            return match keys.0.insert(value) {
                true => Ok(()),
                false => Err(self.refuse("duplicate_key", "has a key twice in one object", at)),
            };
        }
        if let Cow::Owned(mut copy) = value {
            copy.zeroize();
        }
        Ok(())
    }

    fn refuse(&self, reason: &str, what: &str, at: usize) -> Error {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        refuse(reason, what, Position::after(before))
    }
}

/// The index after the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while let Some(&byte) = bytes.get(next) {
        match byte {
            b'\\' => next += 2,
            b'"' => return next + 1,
            _ => next += 1,
        }
    }
    bytes.len()
}

/// Both from 1; the column in bytes.
struct Position {
    line: usize,
    column: usize,
}

impl Position {
    fn after(before: &[u8]) -> Self {
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        Self { line, column }
    }
}

fn refuse(reason: &str, what: &str, at: Position) -> Error {
    let Position { line, column } = at;
    Error::new(Code::InvalidRequest, format!("The request body {what} (line {line}, column {column})"))
        .with("reason", reason)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
