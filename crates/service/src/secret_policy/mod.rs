//! Secret policies: recipes that make new values (contract 05). They grant nothing.

mod change;
mod generate;
mod preview;
mod read;
mod recipe;

pub use change::{CreateSecretPolicy, DeleteSecretPolicy, UpdateSecretPolicy};
pub use generate::GenerateSecret;
pub use preview::{Preview, PreviewRecipe, PreviewSource};
pub use read::{GetSecretPolicy, ListSecretPolicies};
pub use recipe::checked_recipe;
pub use scaivault_store::secret_policy::SecretPolicyRecord;

use scaivault_domain::access::Permit;
use scaivault_store::Database;
use scaivault_store::secret_policy;

use crate::error::Result;
use crate::secret::write::secret_policy_not_found;

/// What a recipe is for: a hint for display that binds nothing (contract 05 section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyType {
    ApiKey,
    #[default]
    Custom,
    OauthClient,
    Password,
    SshKey,
}

impl PolicyType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Custom => "custom",
            Self::OauthClient => "oauth_client",
            Self::Password => "password",
            Self::SshKey => "ssh_key",
        }
    }
}

/// A policy of the tenant, by its id.
fn existing(db: &mut impl Database, permit: &Permit, id: &str) -> Result<SecretPolicyRecord> {
    secret_policy::find(db, permit.tenant(), id)?.ok_or_else(|| secret_policy_not_found(id))
}
