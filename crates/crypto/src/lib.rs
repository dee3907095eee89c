//! Cryptography of ScaiVault: no I/O, no async, no clock.
//!
//! Every other crate handles plaintext and keys only through the types below, none of which prints,
//! clones, compares or serialises what it holds. `docs/crypto.md` gives the byte layouts and the
//! reasons behind them.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod aad;
pub mod bcrypt;
pub mod bytes;
pub mod digest;
pub mod entropy;
pub mod envelope;
pub mod error;
pub mod kdf;
pub mod key;
pub mod key_pair;
pub mod mac;
pub mod sign;
pub mod token;

mod aead;
#[cfg(test)]
mod testing;

pub use aad::Aad;
pub use aad::InstanceItem;
pub use aad::SecretVersion;
pub use aad::TenantItem;
pub use bytes::SecretBytes;
pub use bytes::SecretString;
pub use entropy::Entropy;
pub use entropy::SystemEntropy;
pub use error::CryptoError;
pub use key::DataKey;
pub use key::InstanceKey;
pub use key::KeyId;
pub use key::PartnerKey;
pub use key::RootKey;
pub use key::TenantKey;
pub use key_pair::KeyPair;
pub use mac::MacKey;
pub use sign::SigningKey;
pub use sign::VerifyingKey;
pub use token::OpaqueToken;
pub use token::TokenHash;
pub use token::TokenKind;
