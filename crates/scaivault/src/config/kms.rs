//! Where the root key comes from (contract 12 section 2).

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scaivault_crypto::bytes::SecretBytes;

use super::env::{ConfigError, Env};

/// How many bytes a root key has.
const ROOT_KEY_BYTES: usize = 32;

/// The provider and its settings.
#[derive(Debug)]
pub(crate) enum Kms {
    /// A file of mode 0600, made at the first start.
    File { path: PathBuf },
    /// `SCAIVAULT_ROOT_KEY`, decoded: 32 bytes.
    Env { key: SecretBytes },
    /// `None`: the server starts sealed and an operator sends the passphrase.
    Passphrase { passphrase: Option<SecretBytes> },
}

#[derive(Clone, Copy)]
enum Provider {
    File,
    Env,
    Passphrase,
    Later,
}

impl Kms {
    pub(super) fn read(env: &Env<'_>, data_dir: &Path) -> Result<Self, ConfigError> {
        let providers = [
            ("file", Provider::File),
            ("env", Provider::Env),
            ("passphrase", Provider::Passphrase),
            ("shamir", Provider::Later),
            ("transit", Provider::Later),
            ("hashicorp", Provider::Later),
            ("pkcs11", Provider::Later),
            ("aws", Provider::Later),
            ("gcp", Provider::Later),
            ("azure", Provider::Later),
        ];
        match env.one_of("KMS_PROVIDER", &providers)?.unwrap_or(Provider::File) {
            Provider::File => {
                Ok(Self::File { path: env.path("KMS_KEY_FILE").unwrap_or_else(|| data_dir.join("root.key")) })
            }
            Provider::Env => Ok(Self::Env { key: root_key(env)? }),
            Provider::Passphrase => {
                let passphrase = env.secret_file("KMS_PASSPHRASE_FILE")?;
                let bytes = passphrase.map(|text| SecretBytes::new(text.expose().as_bytes().to_vec()));
                Ok(Self::Passphrase { passphrase: bytes })
            }
            Provider::Later => {
                let fault = "names a provider that this version does not have yet; it has file, env and passphrase";
                Err(ConfigError::new("KMS_PROVIDER", fault))
            }
        }
    }
}

fn root_key(env: &Env<'_>) -> Result<SecretBytes, ConfigError> {
    const NAME: &str = "SCAIVAULT_ROOT_KEY";
    let Some(text) = env.secret(NAME)? else {
        return Err(ConfigError::new(NAME, "is needed with KMS_PROVIDER=env"));
    };
    let key = STANDARD.decode(text.expose().trim_ascii()).map(SecretBytes::new).ok();
    let key = key.filter(|key| key.len() == ROOT_KEY_BYTES);
    key.ok_or_else(|| ConfigError::new(NAME, "must be base64 of 32 bytes"))
}
