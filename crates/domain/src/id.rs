//! What machines call things: typed ids (contract 00 section 2).

mod identity;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use ulid::Ulid;

pub use identity::{IdentityRef, IdentityRefError, IdentityType};

use crate::time::Timestamp;

const MAX_SUFFIX: usize = 64;
const MAX_SLUG: usize = 48;

/// A text that is no id of the wanted kind. In a URL it answers like an absent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an id that begins with {prefix}")]
pub struct IdError {
    /// What the id must begin with, such as `pol_`.
    pub prefix: &'static str,
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident => $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// # Errors
            /// [`IdError`] for another prefix, or a rest that is not 1 to 64 of `A-Za-z0-9_.-`.
            pub fn parse(text: &str) -> Result<$name, IdError> {
                match text.strip_prefix($prefix) {
                    Some(suffix) if is_suffix(suffix) => Ok($name(text.into())),
                    _ => Err(IdError { prefix: $prefix }),
                }
            }

            /// A server-made id: the prefix and the ULID's 26 capitals.
            pub fn from_ulid(ulid: Ulid) -> $name {
                $name(format!("{}{ulid}", $prefix).into())
            }

            /// The prefix and a slug (see [`slug`]).
            ///
            /// # Errors
            /// [`IdError`] when the slug is empty, too long or has a character no id has.
            pub fn from_slug(slug: &str) -> Result<$name, IdError> {
                $name::parse(&format!("{}{slug}", $prefix))
            }

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
    )+};
}

typed_ids! {
    PartnerId => "ptn_",
    TenantId => "tnt_",
    UserId => "usr_",
    ServiceAccountId => "sa_",
    GroupId => "grp_",
    TokenId => "tok_",
    PolicyId => "pol_",
    BindingId => "bnd_",
    RotationPolicyId => "rot_",
    SecretPolicyId => "sp_",
    AuditEntryId => "log_",
    CredentialId => "cred_",
    RequestId => "req_",
    RotationHistoryId => "rh_",
    WebhookId => "wh_",
    DeliveryId => "del_",
    SubscriptionId => "sub_",
    EventId => "evt_",
    /// Internal: never in an answer, so that a path is a secret's only public name.
    SecretId => "sec_",
}

fn is_suffix(suffix: &str) -> bool {
    (1..=MAX_SUFFIX).contains(&suffix.len())
        && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// A ULID of the given millisecond and 80 random bits. A time before 1970 counts as 1970.
pub fn ulid(now: Timestamp, random: [u8; 10]) -> Ulid {
    let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
    let bits = random.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    Ulid::from_parts(millis, bits)
}

/// A name as part of an id: lower case, every run of other characters than `a-z0-9` one `_`, at most 48 long. Empty only for an empty
/// name, which [`crate::name::ResourceName`] does not let through.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if slug.len() == MAX_SLUG {
            break;
        }
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug
}

/// The slug to take when `slug` is taken. See [`four_chars`].
pub fn slug_with_suffix(slug: &str, four_chars: &str) -> String {
    format!("{slug}_{four_chars}")
}

/// Four characters of `a-z0-9` without look-alikes, 20 bits of `random`.
pub fn four_chars(random: [u8; 4]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_need_their_prefix_and_a_plain_rest() {
        for good in ["pol_k1", "pol_01J", "pol_a.b-c_D", "pol__"] {
            assert_eq!(PolicyId::parse(good).unwrap().as_str(), good);
        }
        let long = format!("pol_{}", "a".repeat(65));
        for bad in ["", "pol", "pol_", "Pol_a", "bnd_a", "pol_a b", "pol_a/b", "pol_é", " pol_a", "pol_a\n", &long] {
            assert_eq!(PolicyId::parse(bad), Err(IdError { prefix: "pol_" }), "{bad:?}");
        }
        assert!(PolicyId::parse(&format!("pol_{}", "a".repeat(64))).is_ok());
    }

    #[test]
    fn minted_ids_carry_time_and_randomness() {
        let now = Timestamp::parse("2026-05-01T10:00:00.123456Z").unwrap();
        let made = ulid(now, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(made.timestamp_ms(), 1_777_629_600_123);
        assert_eq!(made.random().to_be_bytes()[6..], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let id = RequestId::from_ulid(made);
        assert_eq!(id.as_str().len(), "req_".len() + 26);
        assert_eq!(RequestId::parse(id.as_str()).unwrap(), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        assert_eq!(ulid(Timestamp::from_micros(-1), [0; 10]).timestamp_ms(), 0);
    }

    #[test]
    fn slugs() {
        let table = [
            ("quarterly", "quarterly"),
            ("Acme Prod", "acme_prod"),
            ("a--b", "a_b"),
            ("Größe 7", "gr_e_7"),
            ("日本", "_"),
        ];
        for (name, expected) in table {
            assert_eq!(slug(name), expected);
        }
        assert_eq!(slug(&"ab ".repeat(60)).len(), 48);
        assert_eq!(RotationPolicyId::from_slug(&slug("quarterly")).unwrap().as_str(), "rot_quarterly");
        let longest = slug_with_suffix(&slug(&"a".repeat(128)), &four_chars([0, 31, 32, 255]));
        assert!(longest.ends_with("_0z0z") && TenantId::from_slug(&longest).is_ok());
    }
}
