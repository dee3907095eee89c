//! The root-key providers that need no other system: a file, a variable, a passphrase.

use std::io::Write;
use std::path::{Path, PathBuf};

use scaivault_crypto::kdf::{PassphraseCost, root_key_from_passphrase};
use scaivault_crypto::{Entropy, RootKey, SecretBytes};
use thiserror::Error;

/// Why there is no root key. Texts name files and variables, never their contents.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum SealError {
    /// An operator has to bring something first.
    #[error("{0}")]
    NeedsOperator(String),
    /// The key is there but can't be used: wrong length, readable by others, does not open this database.
    #[error("{0}")]
    Refused(String),
}

/// Holds or derives the root key. The key never enters the database.
pub trait RootKeyProvider: Send + Sync {
    fn name(&self) -> &'static str;

    /// The key of an initialised instance. `salt` is the instance's own.
    fn obtain(&self, salt: Option<&[u8]>) -> Result<RootKey, SealError>;

    /// The key of an instance that is being initialised; makes one where the provider keeps it.
    fn create(&self, salt: &[u8], entropy: &dyn Entropy) -> Result<RootKey, SealError>;

    /// Derives the key from what an operator sent to `/v1/sys/unseal`.
    fn unseal_with(&self, _passphrase: &SecretBytes, _salt: &[u8]) -> Result<RootKey, SealError> {
        Err(SealError::Refused(format!("provider {} takes no passphrase; it unseals by itself at start", self.name())))
    }
}

/// A file of mode 0600 with the key in hexadecimal, made at the first start.
pub struct FileProvider {
    path: PathBuf,
}

impl FileProvider {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn refused(&self, fault: impl std::fmt::Display) -> SealError {
        SealError::Refused(format!("root-key file {}: {fault}", self.path.display()))
    }
}

impl RootKeyProvider for FileProvider {
    fn name(&self) -> &'static str {
        "file"
    }

    fn obtain(&self, _salt: Option<&[u8]>) -> Result<RootKey, SealError> {
        check_mode(&self.path).map_err(|fault| self.refused(fault))?;
        let text = std::fs::read(&self.path).map(SecretBytes::new).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => self.refused(
                "missing. Put the file back from your backup (KMS_KEY_FILE names another place); a new key can't open this database",
            ),
            _ => self.refused(error),
        })?;
        let key = hex::decode(text.expose().trim_ascii())
            .map(SecretBytes::new)
            .map_err(|_| self.refused("not 64 hexadecimal digits"))?;
        RootKey::from_bytes(key).map_err(|_| self.refused("not 64 hexadecimal digits"))
    }

    fn create(&self, salt: &[u8], entropy: &dyn Entropy) -> Result<RootKey, SealError> {
        if self.path.exists() {
            return self.obtain(Some(salt));
        }
        let key = RootKey::generate(entropy).map_err(|error| self.refused(error))?;
        let text = zeroize::Zeroizing::new(hex::encode(key.to_custody_bytes().expose()) + "\n");
        write_private(&self.path, text.as_bytes()).map_err(|error| self.refused(error))?;
        Ok(key)
    }
}

/// Makes a new file of mode 0600 and syncs it: a root key that a crash could lose would lose everything under it.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(path) {
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => Err(format!(
            "readable by others (mode {:o}); run: chmod 600 {}",
            meta.permissions().mode() & 0o777,
            path.display()
        )),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), String> {
    Ok(())
}

/// `SCAIVAULT_ROOT_KEY`: base64 of 32 bytes, decoded by the configuration.
pub struct VariableProvider {
    key: SecretBytes,
}

impl VariableProvider {
    pub fn new(key: SecretBytes) -> Self {
        Self { key }
    }
}

impl RootKeyProvider for VariableProvider {
    fn name(&self) -> &'static str {
        "env"
    }

    fn obtain(&self, _salt: Option<&[u8]>) -> Result<RootKey, SealError> {
        RootKey::from_bytes(SecretBytes::new(self.key.expose().to_vec()))
            .map_err(|_| SealError::Refused("SCAIVAULT_ROOT_KEY must be base64 of 32 bytes".to_owned()))
    }

    fn create(&self, _salt: &[u8], _entropy: &dyn Entropy) -> Result<RootKey, SealError> {
        self.obtain(None)
    }
}

/// Argon2id of a passphrase, from a file or sent by an operator.
pub struct PassphraseProvider {
    passphrase: Option<SecretBytes>,
    cost: PassphraseCost,
}

impl PassphraseProvider {
    pub fn new(passphrase: Option<SecretBytes>, cost: PassphraseCost) -> Self {
        Self { passphrase, cost }
    }

    fn given(&self) -> Result<&SecretBytes, SealError> {
        self.passphrase.as_ref().ok_or_else(|| {
            SealError::NeedsOperator(
                "the passphrase is not known: POST /v1/sys/unseal {\"passphrase\":\"...\"}, or set KMS_PASSPHRASE_FILE"
                    .to_owned(),
            )
        })
    }
}

impl RootKeyProvider for PassphraseProvider {
    fn name(&self) -> &'static str {
        "passphrase"
    }

    fn obtain(&self, salt: Option<&[u8]>) -> Result<RootKey, SealError> {
        let salt = salt.ok_or_else(|| {
            SealError::Refused("the database has no salt: it was made with another provider".to_owned())
        })?;
        self.unseal_with(self.given()?, salt)
    }

    fn create(&self, salt: &[u8], _entropy: &dyn Entropy) -> Result<RootKey, SealError> {
        self.unseal_with(self.given()?, salt)
    }

    fn unseal_with(&self, passphrase: &SecretBytes, salt: &[u8]) -> Result<RootKey, SealError> {
        root_key_from_passphrase(passphrase, salt, self.cost)
            .map_err(|error| SealError::Refused(format!("the passphrase gives no key: {error}")))
    }
}
