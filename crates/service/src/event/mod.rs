//! What others hear of: written with the change it tells of, handed on afterwards (contract 07).

mod audience;
mod dispatch;
mod envelope;
mod interest;
mod listening;
pub(crate) mod reads;
mod stream;
#[cfg(test)]
mod tests;
mod violation;

use scaivault_domain::access::{SecretScope, Space};
use scaivault_domain::event::{EventBody, EventType};
use scaivault_domain::time::Timestamp;
use scaivault_store::event::{self, NewEvent};
use scaivault_store::secret::SecretRecord;
use scaivault_store::{StoreError, StoreResult, WriteTx, tenant};

use crate::caller::Caller;
use crate::vault::Vault;

pub(crate) use audience::{Audience, HandOn, REMEMBERED_AUDIENCES};
pub(crate) use dispatch::Delays;
pub(crate) use envelope::envelope;
pub use interest::Interest;
pub(crate) use interest::Sight;
pub(crate) use listening::Listening;
pub(crate) use stream::is_held;
pub use stream::{EventStream, OpenStream, StreamItem};
pub(crate) use violation::Violations;

/// What happened, before it is written down for those who may hear of it.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    body: EventBody,
    about: Option<About>,
    /// The tenant that hears of it, where that is not the one that was acted in.
    told_to: Option<String>,
}

/// The secret it is about, with what listeners filter by.
#[derive(Debug, Clone)]
struct About {
    space: Space,
    path: String,
    secret_type: Option<&'static str>,
    tags: Vec<String>,
    /// Whose policies are attached: of a shared secret, those of one tenant of many.
    policy_tenant: Option<String>,
}

impl Happening {
    /// Of something that has no path.
    pub(crate) fn new(body: EventBody) -> Self {
        Self { body, about: None, told_to: None }
    }

    /// Has another tenant of the partner hear of it, in place of the one that was acted in.
    #[must_use]
    pub(crate) fn told_to(mut self, tenant_id: &str) -> Self {
        self.told_to = Some(tenant_id.to_owned());
        self
    }

    pub(crate) fn of_secret(scope: &SecretScope, record: &SecretRecord, body: EventBody) -> Self {
        let about = About {
            space: scope.space(),
            path: record.path.clone(),
            secret_type: Some(record.secret_type.as_str()),
            tags: record.metadata.tags.clone(),
            policy_tenant: Some(record.policy_tenant_id.clone()),
        };
        Self { body, about: Some(about), told_to: None }
    }

    /// At a path where there may be no secret. It passes no filter on type and tags, so that nobody learns of either.
    pub(crate) fn at_path(space: Space, path: &str, body: EventBody) -> Self {
        let about = About { space, path: path.to_owned(), secret_type: None, tags: Vec::new(), policy_tenant: None };
        Self { body, about: Some(about), told_to: None }
    }
}

/// Whose doing it was, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) partner_id: &'a str,
    pub(crate) identity_id: &'a str,
    pub(crate) request_id: &'a str,
}

impl<'a> Origin<'a> {
    pub(crate) fn of(caller: &'a Caller) -> Self {
        Self {
            tenant_id: caller.standing.tenant.as_str(),
            partner_id: caller.standing.partner.as_str(),
            identity_id: &caller.identity().identity_id,
            request_id: &caller.meta.request_id,
        }
    }
}

impl Vault {
    /// Writes events into the transaction of what they tell of. What happens to a shared secret is told to every tenant of the partner
    /// (contract 01 section 12), each under an id of its own.
    pub(crate) fn append_events(
        &self,
        tx: &mut WriteTx<'_>,
        origin: &Origin<'_>,
        happenings: &[Happening],
        at: Timestamp,
    ) -> StoreResult<()> {
        for happening in happenings {
            let shared = happening.about.as_ref().is_some_and(|about| about.space == Space::Partner);
            let hearers = match &happening.told_to {
                Some(tenant_id) => vec![tenant_id.clone()],
                None if shared => tenant::ids_of_partner(tx, origin.partner_id)?,
                None => vec![origin.tenant_id.to_owned()],
            };
            let partner_id = match &happening.told_to {
                // Only a super_admin reaches beyond the partner it acts in.
                Some(tenant_id) if tenant_id != origin.tenant_id => {
                    tenant::find(tx, tenant_id)?.map(|home| home.partner_id)
                }
                Some(_) | None => None,
            };
            let partner_id = partner_id.unwrap_or_else(|| origin.partner_id.to_owned());
            for tenant_id in hearers {
                if happening.body.event_type() == EventType::SecretAccessed && !self.hears_reads(tx, &tenant_id)? {
                    continue;
                }
                // The policy is one of the tenant that attached it; another may have one of that name.
                let about = happening.about.as_ref();
                let policy_tenant = about.and_then(|about| about.policy_tenant.as_deref()).unwrap_or(origin.tenant_id);
                let rotation_policy = happening.body.rotation_policy().filter(|_| tenant_id == policy_tenant);
                let namespace = about.map(|_| if shared { origin.partner_id } else { origin.tenant_id });
                let event = NewEvent {
                    partner_id: partner_id.clone(),
                    at,
                    event_type: happening.body.event_type().as_str().to_owned(),
                    identity_id: origin.identity_id.to_owned(),
                    request_id: origin.request_id.to_owned(),
                    namespace: namespace.map(str::to_owned),
                    path: about.map(|about| about.path.clone()),
                    secret_type: about.and_then(|about| about.secret_type).map(str::to_owned),
                    tags: about.map(|about| about.tags.clone()).unwrap_or_default(),
                    rotation_policy_id: rotation_policy.map(str::to_owned),
                    data: data_of(happening, shared, tenant_id == policy_tenant)?,
                    tenant_id,
                };
                let fresh = self.ulid(at).map_err(|error| StoreError::Unavailable(format!("{error:?}")))?;
                event::append(tx, &event, fresh)?;
            }
        }
        Ok(())
    }
}

/// What concerns one tenant alone: its rotation policy, and what it said when it rotated.
const OWN_FIELDS: [&str; 3] = ["rotation_policy_id", "rotation_policy_name", "reason"];

fn data_of(happening: &Happening, shared: bool, own: bool) -> StoreResult<String> {
    let mut data = serde_json::to_value(&happening.body).map_err(StoreError::corrupt)?;
    if let (false, Some(fields)) = (own, data.as_object_mut()) {
        let hidden = |(name, value): (&String, &mut serde_json::Value)| {
            if OWN_FIELDS.contains(&name.as_str()) {
                *value = serde_json::Value::Null;
            }
        };
        fields.iter_mut().for_each(hidden);
    }
    if let (true, Some(fields)) = (shared, data.as_object_mut()) {
        fields.insert("namespace".to_owned(), "partner".into());
    }
    Ok(data.to_string())
}
