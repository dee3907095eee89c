//! bcrypt, for systems elsewhere that store it. The server's own passphrases use Argon2id (`kdf`).

use crate::bytes::SecretString;
use crate::entropy::Entropy;
use crate::error::CryptoError;

const SALT_LEN: usize = 16;

/// What bcrypt reads of a password, in bytes. A longer one would be cut without a word.
pub const MAX_PASSWORD_LEN: usize = 72;

/// The `$2b$` hash of a password under a fresh salt; 2^`rounds` steps, `rounds` from 4 to 31. Takes seconds from about 15 on.
///
/// # Errors
/// [`CryptoError::InvalidCost`] for other rounds or a password longer than [`MAX_PASSWORD_LEN`], [`CryptoError::Entropy`] as
/// [`Entropy::fill`].
pub fn hash(password: &SecretString, rounds: u32, entropy: &dyn Entropy) -> Result<SecretString, CryptoError> {
    if password.len() > MAX_PASSWORD_LEN {
        return Err(CryptoError::InvalidCost);
    }
    let mut salt = [0; SALT_LEN];
    entropy.fill(&mut salt)?;
    let parts = ::bcrypt::hash_with_salt(password.expose(), rounds, salt).map_err(|_| CryptoError::InvalidCost)?;
    Ok(SecretString::new(parts.format_for_version(::bcrypt::Version::TwoB)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::testing::{NoEntropy, Replay};

    fn secret(text: &str) -> SecretString {
        SecretString::new(text.to_owned())
    }

    /// The suite of Solar Designer's crypt_blowfish: other people's code made these.
    #[test]
    fn known_hashes() {
        let salt = [0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10];
        for (password, expected) in [
            ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U*", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
        ] {
            let made = hash(&secret(password), 5, &Replay::new(&salt)).unwrap();
            assert_eq!(made.expose(), expected);
        }
    }

    #[test]
    fn hashes_verify_and_differ() {
        for len in [1, 71, MAX_PASSWORD_LEN] {
            let password = secret(&"x".repeat(len));
            let (one, two) = (
                hash(&password, 4, &SystemEntropy::new()).unwrap(),
                hash(&password, 4, &SystemEntropy::new()).unwrap(),
            );
            assert_ne!(one.expose(), two.expose());
            assert!(::bcrypt::verify(password.expose(), one.expose()).unwrap());
            assert!(!::bcrypt::verify(&password.expose()[1..], one.expose()).unwrap());
        }
    }

    #[test]
    fn refuses_bad_input() {
        let error = |len, rounds| hash(&secret(&"x".repeat(len)), rounds, &SystemEntropy::new()).unwrap_err();
        assert_eq!(
            (error(73, 4), error(1, 3), error(1, 32)),
            (CryptoError::InvalidCost, CryptoError::InvalidCost, CryptoError::InvalidCost)
        );
        assert_eq!(hash(&secret("x"), 4, &NoEntropy).unwrap_err(), CryptoError::Entropy);
    }
}
