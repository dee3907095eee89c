//! Typed reading of environment variables. No error holds a value.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use scaivault_crypto::bytes::SecretString;
use scaivault_domain::duration::Span;

/// A longer file is not the secret it was named as.
const MAX_SECRET_FILE: u64 = 64 * 1024;

/// Why the server does not start: one line, the variable and its fault, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {fault}")]
pub(crate) struct ConfigError {
    pub variable: String,
    pub fault: String,
}

impl ConfigError {
    pub(super) fn new(variable: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { variable: variable.into(), fault: fault.into() }
    }
}

pub(super) struct Env<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> Env<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { lookup }
    }

    fn raw(&self, name: &str) -> Option<OsString> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let text = self.raw(name).map(OsString::into_string).transpose();
        text.map_err(|_| ConfigError::new(name, "is not UTF-8"))
    }

    /// Paths may be any bytes.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ConfigError> {
        Ok(self.one_of(name, &[("true", true), ("false", false)])?.unwrap_or(default))
    }

    pub(super) fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        found.map(Some).ok_or_else(|| ConfigError::new(name, format!("must be one of {}", all.join(", "))))
    }

    pub(super) fn integer(&self, name: &str, default: u64, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let Some(text) = self.text(name)? else { return Ok(default) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse().ok().filter(|value| digits && range.contains(value));
        let (min, max) = (range.start(), range.end());
        value.ok_or_else(|| ConfigError::new(name, format!("must be an integer between {min} and {max}")))
    }

    /// A duration longer than zero. `default` is one of ours and valid.
    pub(super) fn span(&self, name: &str, default: &str) -> Result<Span, ConfigError> {
        let text = self.text(name)?.unwrap_or_else(|| default.to_owned());
        Span::parse_positive(&text).map_err(|error| ConfigError::new(name, error.to_string()))
    }

    /// A duration that may be zero.
    pub(super) fn span_or_zero(&self, name: &str, default: &str) -> Result<Span, ConfigError> {
        let text = self.text(name)?.unwrap_or_else(|| default.to_owned());
        // A bare zero needs no unit (contract 12 section 2: `0` = ask the provider each time).
        let text = if text == "0" { "0s" } else { &text };
        Span::parse(text).map_err(|error| ConfigError::new(name, error.to_string()))
    }

    pub(super) fn address(&self, name: &str) -> Result<Option<SocketAddr>, ConfigError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let address = text.parse().map(Some);
        address.map_err(|_| ConfigError::new(name, "must be an IP address and a port, as 127.0.0.1:8443"))
    }

    /// Comma-separated; blanks around an entry are ignored.
    pub(super) fn list<T>(&self, name: &str, fault: &str, parse: fn(&str) -> Option<T>) -> Result<Vec<T>, ConfigError> {
        let text = self.text(name)?.unwrap_or_default();
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(|entry| parse(entry).ok_or_else(|| ConfigError::new(name, fault))).collect()
    }

    /// A secret-bearing variable `X`, or the content of the file that `X_FILE` names (contract 12 section 2).
    pub(super) fn secret(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        let file = format!("{name}_FILE");
        match (self.text(name)?.map(SecretString::new), self.secret_file(&file)?) {
            (Some(_), Some(_)) => Err(ConfigError::new(file, format!("and {name} must not both be set"))),
            (value, None) => Ok(value),
            (None, value) => Ok(value),
        }
    }

    /// The content of the file that a variable names, without one newline at its end.
    pub(super) fn secret_file(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        let Some(path) = self.path(name) else { return Ok(None) };
        let fault = |fault: &str| ConfigError::new(name, fault);
        let file =
            File::open(path).map_err(|error| fault(&format!("names a file that can't be read ({})", error.kind())))?;
        // One allocation that does not move: a vector that grows leaves copies of the secret behind.
        let mut content = Vec::with_capacity(MAX_SECRET_FILE as usize + 2);
        let read = file.take(MAX_SECRET_FILE + 1).read_to_end(&mut content);
        read.map_err(|error| fault(&format!("names a file that can't be read ({})", error.kind())))?;
        if content.len() as u64 > MAX_SECRET_FILE {
            return Err(fault("names a file that is too long for a secret"));
        }
        let mut text = String::from_utf8(content).map_err(|_| fault("names a file that is not UTF-8"))?;
        let end = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).len());
        text.truncate(end.unwrap_or(text.len()));
        if text.is_empty() {
            return Err(fault("names an empty file"));
        }
        Ok(Some(SecretString::new(text)))
    }
}
