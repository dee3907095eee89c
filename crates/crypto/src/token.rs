//! Opaque tokens: random strings with a checksum, stored only as their hash.
//!
//! ```text
//! prefix, 4 characters | 32 random bytes in base62, 43 characters | CRC-32 of those 43, 6 characters
//! ```
//!
//! The checksum is no protection. It lets the server refuse a mistyped token before it touches the
//! store, and lets scanners find leaked tokens without asking.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;

use zeroize::Zeroizing;

use crate::bytes::SecretString;
use crate::digest;
use crate::entropy::Entropy;
use crate::error::CryptoError;

const PREFIX_LEN: usize = 4;
const RANDOM_LEN: usize = 32;
const BODY_LEN: usize = 43;
const CHECKSUM_LEN: usize = 6;
const TOKEN_LEN: usize = PREFIX_LEN + BODY_LEN + CHECKSUM_LEN;

/// 0-61 in ASCII order, so encodings of equal length sort as their numbers do.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 32 bytes of 0xFF. 43 digits reach a little beyond 2^256; what lies there was never issued.
const LARGEST_BODY: &str = "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1";

/// What a token is for; the prefix says it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TokenKind {
    /// `sks_`: proves a service account's identity at the token endpoint.
    ClientSecret,
    /// `skt_`: a personal access token.
    Personal,
    /// `skr_`: exchanges for a new session token, once.
    Refresh,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ClientSecret, Self::Personal, Self::Refresh];

    /// The first four characters of every token of this kind.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ClientSecret => "sks_",
            Self::Personal => "skt_",
            Self::Refresh => "skr_",
        }
    }
}

/// A well-formed token: one just made, or one a client sent whose checksum is right.
///
/// Says nothing about whether the token is known; look its [`hash`](Self::hash) up for that.
pub struct OpaqueToken {
    kind: TokenKind,
    text: SecretString,
}

impl OpaqueToken {
    /// A new token with 256 random bits.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`] if there is no randomness.
    pub fn generate(kind: TokenKind, entropy: &dyn Entropy) -> Result<Self, CryptoError> {
        let mut random = Zeroizing::new([0; RANDOM_LEN]);
        entropy.fill(random.as_mut_slice())?;
        let body = base62::<BODY_LEN>(random.as_slice());
        // The exact capacity, because growing would leave an unwiped copy behind.
        let mut text = String::with_capacity(TOKEN_LEN);
        text.push_str(kind.prefix());
        text.extend(body.iter().map(|b| char::from(*b)));
        text.extend(checksum(body.as_slice()).iter().map(|b| char::from(*b)));
        Ok(Self { kind, text: SecretString::new(text) })
    }

    /// Reads a token a client sent. Checks shape and checksum only, so it needs no store.
    ///
    /// # Errors
    /// [`CryptoError::InvalidToken`] for anything this server cannot have issued.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let kind = Self::kind_of(text).ok_or(CryptoError::InvalidToken)?;
        let text = SecretString::new(text.to_owned());
        Ok(Self { kind, text })
    }

    fn kind_of(text: &str) -> Option<TokenKind> {
        if text.len() != TOKEN_LEN {
            return None;
        }
        let (prefix, rest) = text.split_at_checked(PREFIX_LEN)?;
        let kind = TokenKind::ALL.into_iter().find(|kind| kind.prefix() == prefix)?;
        let (body, sum) = rest.split_at_checked(BODY_LEN)?;
        let issuable = body.bytes().all(|b| b.is_ascii_alphanumeric()) && body <= LARGEST_BODY;
        (issuable && checksum(body.as_bytes()).as_slice() == sum.as_bytes()).then_some(kind)
    }

    /// What the token is for.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The token itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What is stored and looked up. A fast hash is enough: 256 random bits cannot be guessed.
    pub fn hash(&self) -> TokenHash {
        TokenHash(digest::sha256(self.expose().as_bytes()))
    }

    /// The token's name in logs and audit entries.
    pub fn token_ref(&self) -> String {
        self.hash().token_ref()
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpaqueToken({}…)", self.kind.prefix())
    }
}

/// SHA-256 of a whole token. Compares in constant time, so it may also be a map key.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; digest::SHA256_LEN]);

impl TokenHash {
    /// A hash read back from the store.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] unless there are 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, CryptoError> {
        bytes.try_into().map(Self).map_err(|_| CryptoError::InvalidKey)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; digest::SHA256_LEN] {
        &self.0
    }

    /// The token's name in logs and audit entries: `sha256:` and 16 hexadecimal digits.
    pub fn token_ref(&self) -> String {
        let mut text = digest::hex(&self.0);
        text.truncate(16);
        format!("sha256:{text}")
    }
}

impl fmt::Debug for TokenHash {
    // The reference, not the hash: what finds the row must not stand in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({})", self.token_ref())
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        digest::constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for TokenHash {}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// The name in logs and audit entries of an opaque token or of a JWT's `jti`.
pub fn token_ref_of(text: &str) -> String {
    TokenHash(digest::sha256(text.as_bytes())).token_ref()
}

fn checksum(body: &[u8]) -> Zeroizing<[u8; CHECKSUM_LEN]> {
    base62(&crc32fast::hash(body).to_be_bytes())
}

/// A big-endian number in base62, zero-padded to `N` digits. The callers' `N` hold their numbers
/// (62^43 > 2^256, 62^6 > 2^32), so nothing is ever cut off.
fn base62<const N: usize>(number: &[u8]) -> Zeroizing<[u8; N]> {
    let mut digits = Zeroizing::new([0u8; N]);
    for byte in number {
        // digits = digits * 256 + byte, from the last digit on.
        let mut carry = u32::from(*byte);
        for digit in digits.iter_mut().rev() {
            carry += u32::from(*digit) << 8;
            *digit = u8::try_from(carry % 62).unwrap_or(0);
            carry /= 62;
        }
    }
    for digit in digits.iter_mut() {
        *digit = BASE62.get(usize::from(*digit)).copied().unwrap_or(b'0');
    }
    digits
}

#[cfg(test)]
mod tests;
