//! What people call things (contract 00 section 2, "Names").

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MAX_NAME: usize = 128;
const MAX_URL_NAME: usize = 64;
const MAX_EMAIL: usize = 254;
/// The longest part before the `@` (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;
const MAX_LABEL: usize = 63;

/// Why a name is refused; the text is the message of a 422.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NameError {
    pub message: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $name::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// A resource's name: 1 to 128 characters, no control characters, no blank at either end. Case-sensitive.
    ResourceName
}

impl ResourceName {
    /// # Errors
    /// [`NameError`]: 422.
    pub fn parse(text: &str) -> Result<ResourceName, NameError> {
        let message = if text.is_empty() {
            "must not be empty"
        } else if text.chars().count() > MAX_NAME {
            "must have at most 128 characters"
        } else if text.chars().any(char::is_control) {
            "must not contain control characters"
        } else if text.trim() != text {
            "must not begin or end with a blank"
        } else {
            return Ok(ResourceName(text.into()));
        };
        Err(NameError { message })
    }
}

name_type! {
    /// A name that stands in URLs (engine, role, service account, group): `[a-z0-9][a-z0-9_.-]{0,63}`.
    UrlName
}

impl UrlName {
    /// # Errors
    /// [`NameError`]: 422, or 400 `invalid_role` for roles.
    pub fn parse(text: &str) -> Result<UrlName, NameError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts_well = text.bytes().next().is_some_and(is_plain);
        if !starts_well
            || text.len() > MAX_URL_NAME
            || !text.bytes().all(|byte| is_plain(byte) || b"_.-".contains(&byte))
        {
            return Err(NameError {
                message: "must be 1 to 64 of a-z, 0-9, '_', '.' and '-', beginning with a letter or digit",
            });
        }
        Ok(UrlName(text.into()))
    }
}

name_type! {
    /// An e-mail address, in lower case, at most 254 bytes. Checked for shape, not for existence.
    Email
}

impl Email {
    /// # Errors
    /// [`NameError`]: 422.
    pub fn parse(text: &str) -> Result<Email, NameError> {
        if !is_email(text) {
            return Err(NameError { message: "must be an e-mail address" });
        }
        let lower = text.to_lowercase();
        // Some letters are longer in lower case.
        if lower.len() > MAX_EMAIL {
            return Err(NameError { message: "must have at most 254 characters" });
        }
        Ok(Email(lower.into()))
    }
}

/// One `@`, no blanks, control characters or characters that would need quoting, dots only between others.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let no_bad_dots = |part: &str| part.split('.').all(|label| !label.is_empty());
    let is_local = |c: char| !c.is_control() && !c.is_whitespace() && !"\"(),:;<>@[\\]".contains(c);
    let is_label = |label: &str| {
        let is_allowed = |c: char| c.is_alphanumeric() || c == '-';
        label.len() <= MAX_LABEL && label.chars().all(is_allowed) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= MAX_EMAIL
        && local.len() <= MAX_LOCAL_PART
        && no_bad_dots(local)
        && local.chars().all(is_local)
        && no_bad_dots(domain)
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_names() {
        for good in ["a", "Prod readers (EU)", "Größe", &"x".repeat(128), &"ü".repeat(128)] {
            assert_eq!(ResourceName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a\nb", "\u{7f}", "\u{a0}a", &"x".repeat(129)] {
            assert!(ResourceName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn url_names() {
        for good in ["a", "0", "crm-prod_1.x", &"a".repeat(64)] {
            assert_eq!(UrlName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "A", "-a", ".a", "_a", "a b", "a/b", "é", &"a".repeat(65)] {
            assert!(UrlName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn emails_are_lower_cased_and_checked_for_shape() {
        assert_eq!(Email::parse("Alice.Smith+x@Acme.Example").unwrap().as_str(), "alice.smith+x@acme.example");
        for good in ["a@b", "root@localhost", "jörg@müller.example"] {
            assert!(Email::parse(good).is_ok(), "{good:?}");
        }
        let long = format!("{}@x.example", "a".repeat(65));
        for bad in [
            "", "a", "@", "a@", "@b", "a@b@c", "a b@c.d", "a@b c", "a@b..c", ".a@b", "a.@b", "a@.b", "a@b.", "a@-b",
            "a\n@b", "<a@b>", &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
    }
}
