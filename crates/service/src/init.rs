//! The first start: an empty database becomes an instance with one partner, one tenant, one administrator (contract 02 section 8).

use std::sync::Arc;

use scaivault_crypto::{Entropy, OpaqueToken, TokenKind};
use scaivault_domain::id::{TokenId, UserId};
use scaivault_domain::role::{Role, RoleSet};
use scaivault_domain::scope::ScopeSet;
use scaivault_store::instance::{self, InstanceRecord};
use scaivault_store::partner::{self, PartnerRecord};
use scaivault_store::tenant::{self, TenantRecord};
use scaivault_store::token::{self, TokenRecord};
use scaivault_store::user::{self, UserRecord};
use scaivault_store::{Lane, StoreError, key};

use crate::error::{Error, Result};
use crate::keyring::{Root, mint};
use crate::session::ACTIVE;
use crate::vault::Vault;

pub const PARTNER: &str = "ptn_default";
pub const TENANT: &str = "tnt_default";
pub const ADMIN_EMAIL: &str = "admin@localhost";

/// What a first start hands over. The token exists nowhere else: print it once, or write it to a private file.
pub struct FirstStart {
    pub partner_id: String,
    pub tenant_id: String,
    pub identity_id: String,
    pub token: OpaqueToken,
}

pub(crate) fn salt(entropy: &dyn Entropy) -> Result<Vec<u8>> {
    let mut salt = vec![0; 32];
    entropy.fill(&mut salt).map_err(Error::internal)?;
    Ok(salt)
}

/// Writes everything in one transaction: a first start that was cut off left nothing and can be repeated.
pub(crate) fn run(vault: &Arc<Vault>, root: &Root, provider: &str, salt: Vec<u8>) -> Result<FirstStart> {
    let now = vault.now();
    let entropy = &*vault.entropy;
    let instance_key = mint::instance(root, now, entropy)?;
    let [partner_key, namespace_key] = mint::partner(root, PARTNER, now, entropy)?;
    let tenant_key = mint::tenant(root, &partner_key, TENANT, now, entropy)?;
    let secret_token = vault.new_token(TokenKind::Personal)?;
    let hash = *secret_token.hash().as_bytes();

    let instance_record = InstanceRecord { created_at: now, provider: provider.to_owned(), kdf_salt: Some(salt) };
    let partner_record = PartnerRecord {
        id: PARTNER.to_owned(),
        name: "Default".to_owned(),
        slug: "default".to_owned(),
        region: None,
        status: ACTIVE.to_owned(),
        created_at: now,
        updated_at: now,
        last_synced_at: None,
    };
    let tenant_record = TenantRecord {
        id: TENANT.to_owned(),
        partner_id: PARTNER.to_owned(),
        name: "Default".to_owned(),
        slug: "default".to_owned(),
        status: ACTIVE.to_owned(),
        settings: Default::default(),
        created_at: now,
        updated_at: now,
        last_synced_at: None,
    };
    let admin = UserRecord {
        id: UserId::from_ulid(vault.ulid(now)?).as_str().to_owned(),
        tenant_id: TENANT.to_owned(),
        email: ADMIN_EMAIL.to_owned(),
        display_name: Some("Administrator".to_owned()),
        password_hash: None,
        allowed_scopes: None,
        roles: i64::from(RoleSet::EMPTY.with(Role::SuperAdmin).bits()),
        mfa_enabled: false,
        status: ACTIVE.to_owned(),
        created_at: now,
        updated_at: now,
        last_synced_at: None,
    };
    let first_token = TokenRecord {
        id: TokenId::from_ulid(vault.ulid(now)?).as_str().to_owned(),
        tenant_id: TENANT.to_owned(),
        identity_id: admin.id.clone(),
        token_ref: secret_token.token_ref(),
        name: "first token".to_owned(),
        scopes: i64::from(ScopeSet::ALL.bits()),
        ip_ranges: Vec::new(),
        created_at: now,
        expires_at: now.plus_seconds(vault.settings.token_max_ttl_seconds),
        revoked_at: None,
        last_used_at: None,
        mfa_verified_at: None,
    };
    vault.store.write_blocking(Lane::Whole, move |tx| {
        if instance::find(tx)?.is_some() {
            return Err(StoreError::InUse("the instance is initialised already; nothing was changed".to_owned()));
        }
        instance::insert(tx, &instance_record)?;
        partner::insert(tx, &partner_record)?;
        tenant::insert(tx, &tenant_record)?;
        for wrapped in [&instance_key, &partner_key, &namespace_key, &tenant_key] {
            key::insert(tx, wrapped)?;
        }
        user::insert(tx, &admin)?;
        token::insert(tx, &first_token, &hash)
    })?;
    Ok(FirstStart {
        partner_id: PARTNER.to_owned(),
        tenant_id: TENANT.to_owned(),
        identity_id: format!("user:{ADMIN_EMAIL}"),
        token: secret_token,
    })
}
