//! Destroys deleted secrets whose time to be restored has passed (contract 01 section 4).

use std::sync::Arc;

use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::audit::AuditAction;
use scaivault_domain::id::{PartnerId, RequestId, TenantId};
use scaivault_domain::time::Timestamp;
use scaivault_store::{Lane, StoreError, StoreResult, WriteTx, secret, tenant};

use crate::error::Result;
use crate::event::Origin;
use crate::job::{JobKind, OwnEntry};
use crate::trail::unrecorded;
use crate::vault::Vault;

/// Secrets of one transaction.
const BATCH: i64 = 100;

impl Vault {
    /// Destroys one batch. Each secret goes together with its audit entry or stays. Answers how many went.
    ///
    /// # Errors
    /// Without the database or the trail.
    pub async fn purge_step(self: &Arc<Self>) -> Result<usize> {
        let vault = Arc::clone(self);
        let purged = self
            .store
            .write(Lane::Whole, move |tx| {
                let now = vault.clock.now();
                let request_id = vault.ulid(now).map(RequestId::from_ulid).map_err(unrecorded)?;
                let mut purged: usize = 0;
                for (namespace, id, path) in secret::past_retention(tx, now, BATCH)? {
                    let owner = Owner::of(tx, &namespace)?;
                    secret::erase(tx, &owner.scope, &id, &path)?;
                    vault.record_purge(tx, &owner, &path, request_id.as_str(), now)?;
                    purged = purged.saturating_add(1);
                }
                Ok(purged)
            })
            .await?;
        Ok(purged)
    }

    fn record_purge(
        &self,
        tx: &mut WriteTx<'_>,
        owner: &Owner,
        path: &str,
        request_id: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let scope = &owner.scope;
        let shared = scope.space() == Space::Partner;
        let origin = Origin {
            // A partner's shared secret belongs to no tenant: its entry goes to the instance's stream.
            tenant_id: if shared { "" } else { scope.namespace() },
            partner_id: scope.owner().partner().as_str(),
            identity_id: JobKind::PurgeSecrets.identity(),
            request_id,
        };
        let own = OwnEntry {
            action: AuditAction::Purge,
            secret_path: Some(path.to_owned()),
            resource_id: None,
            extra: [("permanent".to_owned(), true.into())].into(),
            failed: None,
        };
        self.own_draft(&origin, scope, &own, now).map_err(unrecorded)?.append(tx)
    }
}

struct Owner {
    scope: SecretScope,
}

impl Owner {
    fn of(tx: &mut WriteTx<'_>, namespace: &str) -> StoreResult<Self> {
        if let Ok(partner) = PartnerId::parse(namespace) {
            // The scope of a partner's space is its partner; the tenant in it is never looked at.
            let nobody = TenantId::parse("tnt_none").map_err(StoreError::corrupt)?;
            let scope = SecretScope::of_the_server(Space::Partner, TenantScope::of_the_server(nobody, partner));
            return Ok(Self { scope });
        }
        let record = tenant::find(tx, namespace)?.ok_or_else(|| StoreError::corrupt("a secret without its tenant"))?;
        let tenant = TenantId::parse(&record.id).map_err(StoreError::corrupt)?;
        let partner = PartnerId::parse(&record.partner_id).map_err(StoreError::corrupt)?;
        let scope = SecretScope::of_the_server(Space::Tenant, TenantScope::of_the_server(tenant, partner));
        Ok(Self { scope })
    }
}
