//! What can go wrong in this crate.

/// A failed cryptographic operation.
///
/// No variant carries data: an error of this crate may be logged anywhere without a thought.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CryptoError {
    /// The source of randomness gave nothing. Never retried with weaker randomness.
    #[error("no randomness available")]
    Entropy,
    /// A bound of zero: there is no number below it.
    #[error("bound must be positive")]
    InvalidBound,
    /// Argon2id parameters outside what the algorithm or this server accepts.
    #[error("invalid key derivation cost")]
    InvalidCost,
    /// Key material, hash or seed of the wrong length.
    #[error("key has the wrong length")]
    InvalidKey,
    /// A key id that is empty, too long or holds other characters than `[A-Za-z0-9_.-]`.
    #[error("invalid key id")]
    InvalidKeyId,
    /// A stored password hash that is not an Argon2id PHC string of a cost we accept.
    #[error("invalid password hash")]
    InvalidPasswordHash,
    /// A salt too short to separate one derivation from the next.
    #[error("salt too short")]
    InvalidSalt,
    /// Not a token this server could have issued: wrong shape or wrong checksum.
    #[error("invalid token")]
    InvalidToken,
    /// The cryptographic library refused an operation that has no bad input, e.g. out of memory.
    #[error("cryptographic operation failed")]
    Internal,
    /// A blob did not open. Deliberately the only answer, whatever the cause: wrong key, moved row,
    /// altered or truncated bytes and unknown format must not be told apart by who can cause them.
    #[error("cannot be opened")]
    Unopenable,
}
