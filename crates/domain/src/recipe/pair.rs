//! The generators with two outputs: key pairs, and a password with its hash.

use scaivault_crypto::entropy::Entropy;
use scaivault_crypto::error::CryptoError;
use scaivault_crypto::key_pair::{self, Curve, RsaBits};
use scaivault_crypto::{SecretString, bcrypt};
use serde_json::{Value, json};

use super::{charset, random};

/// Makes two values that belong together. The first goes to the field's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub kind: PairKind,
    /// Where the second goes: the public key or the hash.
    pub second: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairKind {
    Rsa(RsaBits),
    Ec(Curve),
    SshEd25519 {
        comment: String,
    },
    /// 4096 bits.
    SshRsa {
        comment: String,
    },
    /// A password of letters and digits.
    Bcrypt {
        length: u32,
        rounds: u32,
    },
}

impl PairKind {
    /// The setting that names the second output, as a fault shows it.
    pub(super) fn second_setting(&self) -> &'static str {
        match self {
            Self::Bcrypt { .. } => "config.hash_field",
            _ => "config.public_field",
        }
    }

    /// The second output of the field `name` when nothing is said.
    pub(super) fn default_second(&self, name: &str) -> String {
        match self {
            Self::Bcrypt { .. } => format!("{name}_hash"),
            _ if name == "private_key" => "public_key".to_owned(),
            _ => format!("{name}_public"),
        }
    }

    /// Whether it takes so long that nothing else should wait for it: primes have to be found, a hash is slow by intent.
    pub(super) fn is_slow(&self) -> bool {
        match self {
            Self::Rsa(_) | Self::SshRsa { .. } | Self::Bcrypt { .. } => true,
            Self::Ec(_) | Self::SshEd25519 { .. } => false,
        }
    }

    pub(super) fn generate(&self, entropy: &dyn Entropy) -> Result<(SecretString, SecretString), CryptoError> {
        let pair = match self {
            Self::Rsa(bits) => key_pair::rsa(*bits)?,
            Self::Ec(curve) => key_pair::ec(*curve)?,
            Self::SshEd25519 { comment } => key_pair::ssh_ed25519(comment, entropy)?,
            Self::SshRsa { comment } => key_pair::ssh_rsa_4096(comment, entropy)?,
            Self::Bcrypt { length, rounds } => {
                let password = SecretString::new(random::draw(entropy, &charset::ALPHANUMERIC, *length)?);
                let hash = bcrypt::hash(&password, *rounds, entropy)?;
                return Ok((password, hash));
            }
        };
        Ok((pair.private, pair.public))
    }
}

impl Pair {
    pub(super) fn to_json(&self) -> (&'static str, Value) {
        let second = &self.second;
        let ssh = |key_type, comment| json!({"key_type": key_type, "comment": comment, "public_field": second});
        match &self.kind {
            PairKind::Rsa(bits) => {
                let bits = match bits {
                    RsaBits::Bits2048 => 2048,
                    RsaBits::Bits4096 => 4096,
                };
                ("rsa_keypair", json!({"bits": bits, "public_field": second}))
            }
            PairKind::Ec(curve) => {
                let curve = match curve {
                    Curve::P256 => "P-256",
                    Curve::P384 => "P-384",
                };
                ("ec_keypair", json!({"curve": curve, "public_field": second}))
            }
            PairKind::SshEd25519 { comment } => ("ssh_keypair", ssh("ed25519", comment)),
            PairKind::SshRsa { comment } => ("ssh_keypair", ssh("rsa", comment)),
            PairKind::Bcrypt { length, rounds } => {
                ("bcrypt_hash", json!({"length": length, "rounds": rounds, "hash_field": second}))
            }
        }
    }
}
