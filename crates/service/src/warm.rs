//! Keys fetched before a transaction begins.
//!
//! Loading a key takes a read connection. Were it done inside, a request would hold one connection while it waits for another
//! (enough of them at once wait for each other), the writer would wait for readers, and the async threads for the disk.

use std::sync::Arc;

use scaivault_domain::access::{SecretScope, Space, Target, TenantScope};
use scaivault_domain::time::Timestamp;

use crate::caller::Caller;
use crate::error::Result;
use crate::keyring::KeySet;
use crate::vault::Vault;

/// The keys a request may need, or why they could not be loaded: an operation that asks hears that, and nothing is tried again
/// inside its transaction.
#[derive(Clone, Default)]
pub(crate) struct WarmKeys {
    secrets: Option<(SecretScope, Result<Arc<KeySet>>)>,
    tenant: Option<(TenantScope, Result<Arc<KeySet>>)>,
}

impl WarmKeys {
    pub(crate) fn secrets(&self, scope: &SecretScope) -> Option<Result<Arc<KeySet>>> {
        self.secrets.as_ref().filter(|(held, _)| held == scope).map(|(_, keys)| keys.clone())
    }

    pub(crate) fn tenant(&self, scope: &TenantScope) -> Option<Result<Arc<KeySet>>> {
        self.tenant.as_ref().filter(|(held, _)| held == scope).map(|(_, keys)| keys.clone())
    }
}

impl Vault {
    /// What is in memory already; `None` when something has to be loaded.
    pub(crate) fn warm_keys(&self, caller: &Caller, target: &Target, now: Timestamp) -> Option<WarmKeys> {
        let scope = scope_of(caller, target);
        let tenant = self.keyring.cached_for_tenant(scope.owner(), now)?;
        let secrets = self.keyring.cached_for_secrets(&scope, now)?;
        Some(WarmKeys { tenant: Some((scope.owner().clone(), Ok(tenant))), secrets: Some((scope, Ok(secrets))) })
    }

    /// Loads them. Blocks; never call it inside a transaction.
    pub(crate) fn load_keys(&self, caller: &Caller, target: &Target, now: Timestamp) -> WarmKeys {
        self.load_keys_of(&scope_of(caller, target), now)
    }

    /// As [`Vault::load_keys`], for what the server does on its own account.
    pub(crate) fn load_keys_of(&self, scope: &SecretScope, now: Timestamp) -> WarmKeys {
        let tenant = self.keyring.for_tenant(&self.store, scope.owner(), now);
        let secrets = self.keyring.for_secrets(&self.store, scope, now);
        WarmKeys { tenant: Some((scope.owner().clone(), tenant)), secrets: Some((scope.clone(), secrets)) }
    }
}

/// The secrets that a request is about.
pub(crate) fn scope_of(caller: &Caller, target: &Target) -> SecretScope {
    let space = match target {
        Target::Listing { space, .. } | Target::Secret { space, .. } => *space,
        Target::Instance | Target::Tenant => Space::Tenant,
    };
    let standing = &caller.standing;
    SecretScope::of_the_server(space, TenantScope::of_the_server(standing.tenant.clone(), standing.partner.clone()))
}
