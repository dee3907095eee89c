//! Argon2id (RFC 9106): keys from passphrases, and stored passwords.

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Block;
use argon2::Params;
use argon2::Version;
use argon2::password_hash::Output;
use argon2::password_hash::ParamsString;
use argon2::password_hash::PasswordHash;
use argon2::password_hash::Salt;
use argon2::password_hash::SaltString;
use zeroize::Zeroize as _;
use zeroize::Zeroizing;

use crate::bytes::SecretBytes;
use crate::bytes::SecretString;
use crate::digest;
use crate::entropy::Entropy;
use crate::error::CryptoError;
use crate::key::KEY_LEN;
use crate::key::RootKey;

/// Shortest salt in bytes (RFC 9106, 3.1, recommends 16).
pub const MIN_SALT_LEN: usize = 16;

/// What one password check may cost at most, so that an altered row cannot exhaust the server.
const MAX_PASSWORD_MEMORY_KIB: u32 = 64 * 1024;
const MAX_PASSWORD_PASSES: u32 = 10;

/// Argon2id parameters of the root key's derivation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// 256 MiB, 3 passes, 4 lanes (contract 12, section 2). About a second.
    pub const PRODUCTION: Self = Self { memory_kib: 256 * 1024, passes: 3, lanes: 4 };

    /// Fast and worthless. Named so that it cannot stand in production code unnoticed.
    pub const INSECURE_FOR_TESTS: Self = Self { memory_kib: 64, passes: 1, lanes: 1 };
}

/// The root key that belongs to a passphrase.
///
/// `salt` is random, at least [`MIN_SALT_LEN`] bytes, kept in the database and no secret.
///
/// # Errors
/// [`CryptoError::InvalidSalt`] for a shorter salt, [`CryptoError::InvalidCost`] if Argon2id refuses
/// its parameters or input.
pub fn root_key_from_passphrase(
    passphrase: &SecretBytes,
    salt: &[u8],
    cost: PassphraseCost,
) -> Result<RootKey, CryptoError> {
    if salt.len() < MIN_SALT_LEN {
        return Err(CryptoError::InvalidSalt);
    }
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_LEN)).map_err(|_| CryptoError::InvalidCost)?;
    RootKey::from_bytes(argon2id(passphrase.expose(), salt, &params, KEY_LEN)?)
}

/// A new hash of a password for storage, as PHC string (`$argon2id$v=19$m=19456,t=2,p=1$…`).
///
/// Takes some 20 ms and 19 MiB; run it where blocking is allowed.
///
/// # Errors
/// [`CryptoError::Entropy`] if there is no randomness for the salt.
pub fn hash_password(password: &SecretString, entropy: &dyn Entropy) -> Result<String, CryptoError> {
    let mut salt = [0; MIN_SALT_LEN];
    entropy.fill(&mut salt)?;
    // The crate's defaults are the first choice of OWASP's password storage cheat sheet.
    let params = Params::default();
    let hash = argon2id(password.expose().as_bytes(), &salt, &params, KEY_LEN)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| CryptoError::Internal)?;
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|_| CryptoError::Internal)?,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(hash.expose()).map_err(|_| CryptoError::Internal)?),
    };
    Ok(phc.to_string())
}

/// Whether `password` is the one `stored` was made of; compares in constant time.
///
/// Uses the parameters in `stored`, so hashes of older costs stay valid.
///
/// # Errors
/// [`CryptoError::InvalidPasswordHash`] if `stored` is no Argon2id hash of an accepted cost.
pub fn verify_password(password: &SecretString, stored: &str) -> Result<bool, CryptoError> {
    let phc = PasswordHash::new(stored).map_err(|_| CryptoError::InvalidPasswordHash)?;
    let (params, salt, expected) = accepted(&phc).ok_or(CryptoError::InvalidPasswordHash)?;
    let mut salt_bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut salt_bytes).map_err(|_| CryptoError::InvalidPasswordHash)?;
    let actual = argon2id(password.expose().as_bytes(), salt, &params, expected.len())?;
    Ok(digest::constant_time_eq(actual.expose(), expected.as_bytes()))
}

/// Costs as much as [`verify_password`] and knows no answer: for accounts that do not exist, so that
/// time does not tell them from a wrong password.
pub fn verify_no_password(password: &SecretString) {
    // The result is of no use, and neither is a failure: the caller refuses either way.
    drop(argon2id(password.expose().as_bytes(), &[0; MIN_SALT_LEN], &Params::default(), KEY_LEN));
}

fn accepted<'a>(phc: &PasswordHash<'a>) -> Option<(Params, Salt<'a>, Output)> {
    let params = Params::try_from(phc).ok()?;
    let affordable = params.m_cost() <= MAX_PASSWORD_MEMORY_KIB && params.t_cost() <= MAX_PASSWORD_PASSES;
    let known = phc.algorithm == Algorithm::Argon2id.ident() && phc.version == Some(Version::V0x13.into());
    let hash = phc.hash.filter(|hash| hash.len() >= KEY_LEN)?;
    (affordable && known).then_some((params, phc.salt?, hash))
}

// Brings its own memory, because what argon2 allocates itself it does not wipe.
fn argon2id(input: &[u8], salt: &[u8], params: &Params, len: usize) -> Result<SecretBytes, CryptoError> {
    let mut memory = vec![Block::default(); params.block_count()];
    let mut out = Zeroizing::new(vec![0; len]);
    let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()).hash_password_into_with_memory(
        input,
        salt,
        &mut out,
        memory.as_mut_slice(),
    );
    // Not `Zeroizing<Vec>`: that wipes the capacity a second time, byte by byte, which at these
    // sizes takes as long as the hash.
    memory.iter_mut().zeroize();
    result.map_err(|_| CryptoError::InvalidCost)?;
    Ok(SecretBytes::from_zeroizing(out))
}

#[cfg(test)]
mod tests;
