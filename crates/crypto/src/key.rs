//! The keys of the hierarchy, one type a level, and the names they are stored under.

use std::fmt;

use zeroize::Zeroizing;

use crate::bytes::SecretBytes;
use crate::entropy::Entropy;
use crate::error::CryptoError;

/// Length of every symmetric key in bytes (AES-256).
pub const KEY_LEN: usize = 32;

/// Longest key id in bytes. Its length must fit the blob header's one byte.
pub const MAX_KEY_ID_LEN: usize = 64;

/// Declares one level of the hierarchy.
///
/// The levels have the same body but are different types, so that opening a blob with the key of
/// another level does not compile (see [`envelope`](crate::envelope)).
macro_rules! key_type {
    ($(#[$doc:meta])* $name:ident, $shown:literal) => {
        $(#[$doc])*
        ///
        /// Wiped when dropped. No `Clone`, `PartialEq`, `Serialize`; `Debug` shows only the name.
        // Boxed, because moving an array leaves its old bytes behind on the stack.
        pub struct $name(Box<Zeroizing<[u8; KEY_LEN]>>);

        impl $name {
            /// A new random key.
            ///
            /// # Errors
            /// [`CryptoError::Entropy`] if there is no randomness.
            pub fn generate(entropy: &dyn Entropy) -> Result<Self, CryptoError> {
                let mut key = Self(Box::default());
                entropy.fill(key.0.as_mut_slice())?;
                Ok(key)
            }

            /// The key with exactly these bytes.
            ///
            /// # Errors
            /// [`CryptoError::InvalidKey`] unless there are [`KEY_LEN`] of them.
            pub fn from_bytes(bytes: SecretBytes) -> Result<Self, CryptoError> {
                if bytes.len() != KEY_LEN {
                    return Err(CryptoError::InvalidKey);
                }
                let mut key = Self(Box::default());
                key.0.copy_from_slice(bytes.expose());
                Ok(key)
            }

            pub(crate) fn bytes(&self) -> &[u8; KEY_LEN] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($shown)
            }
        }
    };
}

key_type! {
    /// Top of the hierarchy; wraps partner keys and the instance key. Never in the database.
    RootKey, "RootKey(…)"
}
key_type! {
    /// One a partner; wraps its tenants' keys and the key of its own secrets.
    PartnerKey, "PartnerKey(…)"
}
key_type! {
    /// One a tenant (or a partner's namespace); wraps data keys and seals the tenant's other secrets.
    /// Destroying it shreds everything below.
    TenantKey, "TenantKey(…)"
}
key_type! {
    /// One a secret version; seals that version's value, exactly once.
    DataKey, "DataKey(…)"
}
key_type! {
    /// One an installation; seals what belongs to no tenant (signing keys) and is the source of
    /// derived keys (see [`mac`](crate::mac)).
    InstanceKey, "InstanceKey(…)"
}

impl RootKey {
    /// The bytes, for the one provider that must store them itself: the key file of first start.
    /// No other level has this, since all others leave the process only wrapped.
    pub fn to_custody_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.bytes().to_vec())
    }
}

/// The public name of a stored key, e.g. `k_` and a ULID chosen by the caller.
///
/// Stands in the clear in every blob the key has sealed, to find the key again.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(String);

impl KeyId {
    /// Checks and takes over a key id: 1 to [`MAX_KEY_ID_LEN`] of `[A-Za-z0-9_.-]`.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKeyId`] for anything else.
    pub fn new(id: impl Into<String>) -> Result<Self, CryptoError> {
        let id = id.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if id.is_empty() || id.len() > MAX_KEY_ID_LEN || !id.bytes().all(allowed) {
            return Err(CryptoError::InvalidKeyId);
        }
        Ok(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::testing::NoEntropy;
    use crate::testing::assert_not_impl;

    macro_rules! check_key {
        ($test:ident, $key:ident) => {
            assert_not_impl!($key: Clone);
            assert_not_impl!($key: PartialEq);
            assert_not_impl!($key: fmt::Display);

            #[test]
            fn $test() {
                let e = SystemEntropy::new();
                let key = $key::generate(&e).unwrap();
                assert_ne!(key.bytes(), $key::generate(&e).unwrap().bytes());
                assert_eq!($key::generate(&NoEntropy).unwrap_err(), CryptoError::Entropy);

                let key = $key::from_bytes(SecretBytes::new(vec![0xA5; 32])).unwrap();
                assert_eq!(key.bytes(), &[0xA5; 32]);
                assert_eq!(format!("{key:?}"), concat!(stringify!($key), "(…)"));
                assert_eq!(format!("{key:#?}"), concat!(stringify!($key), "(…)"));
                for len in [0, 16, 31, 33, 64] {
                    let wrong = $key::from_bytes(SecretBytes::new(vec![1; len]));
                    assert_eq!(wrong.unwrap_err(), CryptoError::InvalidKey);
                }
            }
        };
    }
    check_key!(root_key, RootKey);
    check_key!(partner_key, PartnerKey);
    check_key!(tenant_key, TenantKey);
    check_key!(data_key, DataKey);
    check_key!(instance_key, InstanceKey);

    #[test]
    fn root_key_survives_custody() {
        let key = RootKey::generate(&SystemEntropy::new()).unwrap();
        let back = RootKey::from_bytes(key.to_custody_bytes()).unwrap();
        assert_eq!(key.bytes(), back.bytes());
    }

    #[test]
    fn key_ids() {
        let longest = "k".repeat(64);
        for good in ["k", "k_01JABC", "node-1.2", &longest] {
            assert_eq!(KeyId::new(good).unwrap().to_string(), good);
        }
        let too_long = "k".repeat(65);
        for bad in ["", " ", "a b", "a/b", "é", "k\0", &too_long] {
            assert_eq!(KeyId::new(bad), Err(CryptoError::InvalidKeyId), "{bad:?}");
        }
    }
}
