//! Where the root key comes from, and whether the server may use it (contract 12 section 2).

mod provider;

pub use provider::{FileProvider, PassphraseProvider, RootKeyProvider, SealError, VariableProvider};

/// `GET /v1/sys/seal-status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealStatus {
    pub sealed: bool,
    pub provider: &'static str,
    /// Parts that unseal together; 1 for providers that take one passphrase or hold the key themselves.
    pub threshold: u32,
    pub shares: u32,
    pub progress: u32,
    pub initialized: bool,
}
