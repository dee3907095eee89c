//! The generator `template`: text with `{{random:N}}`, `{{hex:N}}`, `{{uuid}}` and `{{timestamp}}` in it.

use scaivault_crypto::entropy::Entropy;
use scaivault_crypto::error::CryptoError;

use super::{MAX_LENGTH, charset, hex, random, uuid_v4};
use crate::time::Timestamp;

/// A template whose placeholders are all known.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// N letters and digits.
    Random(u32),
    /// N hex characters.
    Hex(u32),
    /// Version 4.
    Uuid,
    /// Unix seconds.
    Timestamp,
}

impl Template {
    /// # Errors
    /// Why the text is no template; the text itself is not in it.
    pub fn parse(text: &str) -> Result<Template, String> {
        if text.chars().count() > MAX_LENGTH as usize {
            return Err(format!("must have at most {MAX_LENGTH} characters"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            let (placeholder, after) = after.split_once("}}").ok_or("has a {{ without its }}")?;
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::parse(placeholder).ok_or_else(|| {
                format!(
                    "allows only random:N, hex:N (N from 1 to {MAX_LENGTH}), uuid and timestamp between {{{{ and }}}}"
                )
            })?);
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(Template { text: text.to_owned(), parts })
    }

    /// As given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn fill(&self, entropy: &dyn Entropy, now: Timestamp) -> Result<String, CryptoError> {
        self.parts.iter().map(|part| part.fill(entropy, now)).collect()
    }
}

impl Part {
    fn parse(placeholder: &str) -> Option<Part> {
        match placeholder.split_once(':') {
            Some(("random", length)) => count(length).map(Part::Random),
            Some(("hex", length)) => count(length).map(Part::Hex),
            None if placeholder == "uuid" => Some(Part::Uuid),
            None if placeholder == "timestamp" => Some(Part::Timestamp),
            _ => None,
        }
    }

    fn fill(&self, entropy: &dyn Entropy, now: Timestamp) -> Result<String, CryptoError> {
        match self {
            Self::Literal(text) => Ok(text.clone()),
            Self::Random(length) => random::draw(entropy, &charset::ALPHANUMERIC, *length),
            Self::Hex(length) => hex(entropy, *length),
            Self::Uuid => uuid_v4(entropy),
            Self::Timestamp => Ok(now.as_seconds().to_string()),
        }
    }
}

/// Digits only: `parse` alone would take a `+`.
fn count(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|length| digits && (1..=MAX_LENGTH).contains(length))
}
