//! Why a command ends without success: one line for people, one number for scripts (contract 13 section 1).

use std::fmt;

use crate::config::ConfigError;

/// General failures.
pub(crate) const GENERAL: u8 = 1;
/// The server does not know who is asking.
pub(crate) const AUTHENTICATION: u8 = 2;
/// The server knows, and refuses.
pub(crate) const AUTHORIZATION: u8 = 3;
pub(crate) const NOT_FOUND: u8 = 4;
/// Bad usage, bad configuration, and what a server calls invalid.
pub(crate) const USAGE: u8 = 5;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit_code: u8,
    pub(crate) line: String,
}

impl Failure {
    pub(crate) fn general(line: impl fmt::Display) -> Self {
        Self { exit_code: GENERAL, line: one_line(line) }
    }

    pub(crate) fn usage(line: impl fmt::Display) -> Self {
        Self { exit_code: USAGE, line: one_line(line) }
    }

    pub(crate) fn not_found(line: impl fmt::Display) -> Self {
        Self { exit_code: NOT_FOUND, line: one_line(line) }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<scaivault_store::StoreError> for Failure {
    fn from(error: scaivault_store::StoreError) -> Self {
        Self::general(error)
    }
}

impl From<scaivault_service::Error> for Failure {
    /// The operator at the console may read what clients may not.
    fn from(error: scaivault_service::Error) -> Self {
        match error.internal_detail() {
            Some(detail) => Self::general(detail.for_log()),
            None => Self::general(error.message()),
        }
    }
}

/// Texts of other systems may have several lines; scripts and logs count on one.
pub(crate) fn one_line(text: impl fmt::Display) -> String {
    text.to_string().split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        assert_eq!(Failure::general("a\r\n  b\n\nc").line, "a b c");
        assert_eq!(Failure::usage("a").exit_code, 5);
    }
}
