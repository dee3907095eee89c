//! Destroys deleted secrets whose time to be restored has passed (contract 01 section 4).

use std::sync::Arc;

use scaivault_domain::access::{SecretScope, Space, TenantScope};
use scaivault_domain::audit::{AuditAction, AuditEntry};
use scaivault_domain::id::{IdentityType, PartnerId, RequestId, TenantId};
use scaivault_domain::time::Timestamp;
use scaivault_store::{StoreError, StoreResult, WriteTx, secret, tenant};

use crate::caller::RequestMeta;
use crate::context::Notes;
use crate::error::Result;
use crate::trail::Draft;
use crate::vault::Vault;

/// Secrets of one transaction.
const BATCH: i64 = 100;
const IDENTITY: &str = "system:purge";

impl Vault {
    /// Destroys one batch. Each secret goes together with its audit entry or stays. Answers how many went.
    ///
    /// # Errors
    /// Without the database or the trail.
    pub async fn purge_step(self: &Arc<Self>) -> Result<usize> {
        let vault = Arc::clone(self);
        let entries = self
            .store
            .write(move |tx| {
                let now = vault.clock.now();
                let request_id = vault.ulid(now).map(RequestId::from_ulid).map_err(unrecorded)?;
                let mut entries = Vec::new();
                for (namespace, id, path) in secret::past_retention(tx, now, BATCH)? {
                    let owner = Owner::of(tx, &namespace)?;
                    secret::erase(tx, &owner.scope, &id, &path)?;
                    entries.push(vault.record_purge(tx, &owner, &path, request_id.as_str(), now)?);
                }
                Ok(entries)
            })
            .await?;
        for entry in &entries {
            self.published(entry);
        }
        Ok(entries.len())
    }

    fn record_purge(
        &self,
        tx: &mut WriteTx<'_>,
        owner: &Owner,
        path: &str,
        request_id: &str,
        now: Timestamp,
    ) -> StoreResult<AuditEntry> {
        let meta = RequestMeta {
            request_id: request_id.to_owned(),
            client_request_id: None,
            source_ip: None,
            user_agent: None,
            started: now,
            fresh: false,
        };
        let mut draft: Draft = self.blank(&meta, AuditAction::Purge, &Notes::default(), Ok(200)).map_err(unrecorded)?;
        let entry = &mut draft.entry;
        entry.identity_type = Some(IdentityType::System.as_str().to_owned());
        entry.identity_id = Some(IDENTITY.to_owned());
        entry.secret_path = Some(path.to_owned());
        entry.acting_partner_id = Some(owner.scope.owner().partner().as_str().to_owned());
        entry.extra_data.insert("permanent".to_owned(), true.into());
        if owner.scope.space() == Space::Partner {
            entry.extra_data.insert("namespace".to_owned(), "partner".into());
        } else {
            let tenant = owner.scope.namespace().to_owned();
            entry.tenant_id = Some(tenant.clone());
            entry.target_tenant_id = Some(tenant.clone());
            draft.stream = tenant;
        }
        draft.append(tx)?;
        Ok(draft.entry)
    }
}

fn unrecorded(error: crate::error::Error) -> StoreError {
    StoreError::Audit(format!("{error:?}"))
}

struct Owner {
    scope: SecretScope,
}

impl Owner {
    /// A partner's shared secret belongs to no tenant: its entry goes to the instance's stream.
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
