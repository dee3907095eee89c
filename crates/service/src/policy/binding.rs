//! Binding policies to identities.

use scaivault_domain::access::Permit;
use scaivault_domain::id::{BindingId, IdentityRef, IdentityType};
use scaivault_domain::time::Timestamp;
use scaivault_store::binding::{self, BindingRecord, BindingShown};
use scaivault_store::{ReadView, WriteTx};

use super::identity_key::{identity_key, identity_key_in_partner, identity_not_found};
use super::{bound, changeable, lapse, visible};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, Result};
use crate::naming::{name_exists, unique};
use crate::operation::{Command, Query, tenant_operation};
use crate::page::{Page, one_more, single_after};

/// `GET /v1/policies/{id}/bindings`, the oldest first.
#[derive(Debug, Clone)]
pub struct ListBindings {
    pub policy_id: String,
    pub limit: usize,
    /// Position of the last item of the page before.
    pub after: Option<Vec<String>>,
}

/// `POST /v1/policies/{id}/bindings`
#[derive(Debug, Clone)]
pub struct BindPolicy {
    pub policy_id: String,
    pub identity_type: IdentityType,
    /// As the client wrote it.
    pub identity_id: String,
    pub expires_at: Option<Timestamp>,
}

/// `DELETE /v1/policies/{id}/bindings/{binding_id}`
#[derive(Debug, Clone)]
pub struct UnbindPolicy {
    pub policy_id: String,
    pub binding_id: String,
}

tenant_operation!(ListBindings, BindingList, Page<BindingShown>);

impl Query for ListBindings {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Page<BindingShown>> {
        let policy = visible(view, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let after = single_after(self.after.as_deref())?;
        let found = binding::list(view, &policy.id, bound(permit), after, one_more(self.limit))?;
        let page = Page::cut(found, self.limit, |last| vec![last.record.id.clone()]);
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

tenant_operation!(BindPolicy, PolicyBind, BindingShown);

impl Command for BindPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<BindingShown> {
        let policy = changeable(tx, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let reference = IdentityRef::parse(&self.identity_id).map_err(|_| identity_not_found(&self.identity_id))?;
        check_type(&reference, self.identity_type)?;
        let identity = match policy.is_of_partner() {
            true => identity_key_in_partner(tx, permit.tenant(), &reference)?,
            false => identity_key(tx, permit.tenant(), &reference)?,
        };
        if let Some(id) = binding::id_of_identity(tx, &policy.id, &identity.tenant_id, &identity.key)? {
            return Err(name_exists("identity_id", &identity.identity_id, &id));
        }
        let record = BindingRecord {
            id: BindingId::from_ulid(cx.ulid()?).as_str().to_owned(),
            policy_id: policy.id,
            tenant_id: identity.tenant_id,
            identity_type: self.identity_type.as_str().to_owned(),
            identity_key: identity.key,
            expires_at: self.expires_at,
            created_at: cx.now,
            created_by: cx.actor().to_owned(),
            lapsed_at: None,
        };
        unique(binding::insert(tx, &record), "identity_id", &identity.identity_id)?;
        cx.note("binding_id", record.id.as_str());
        cx.note("bound_identity", identity.identity_id.as_str());
        cx.outcome(Outcome::Created);
        let bound = BindingShown { record, identity_id: identity.identity_id };
        lapse::made(tx, cx, &bound)?;
        Ok(bound)
    }
}

/// # Errors
/// 400 `invalid_policy`: a client that is wrong about the kind is wrong about the identity.
fn check_type(reference: &IdentityRef, given: IdentityType) -> Result<()> {
    if reference.agrees_with(given) {
        return Ok(());
    }
    let actual = reference.identity_type();
    let message = format!("identity_id names a {actual}, but identity_type says {given}");
    Err(Error::new(Code::InvalidPolicy, message).with("reason", "identity_type and identity_id disagree"))
}

tenant_operation!(UnbindPolicy, PolicyUnbind, ());

impl Command for UnbindPolicy {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<()> {
        let policy = changeable(tx, permit, &self.policy_id)?;
        cx.touched(&*policy.id);
        let found = binding::find(tx, &policy.id, bound(permit), &self.binding_id)?.ok_or_else(|| {
            Error::new(Code::BindingNotFound, format!("Binding '{}' not found", self.binding_id))
                .with("id", self.binding_id.as_str())
        })?;
        binding::delete(tx, &found.record.id)?;
        cx.note("binding_id", found.record.id.as_str());
        cx.note("bound_identity", found.identity_id.as_str());
        lapse::removed(tx, cx, found)?;
        cx.outcome(Outcome::Empty);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_id_must_agree() {
        let check = |text: &str, given| check_type(&IdentityRef::parse(text).unwrap(), given);
        assert!(check("user:a@b.example", IdentityType::User).is_ok());
        assert!(check("grp_1", IdentityType::Group).is_ok());
        assert!(check("dynamic:pg", IdentityType::System).is_ok());
        assert!(check("federation:old", IdentityType::ServiceAccount).is_ok());
        for (text, given) in [
            ("user:a@b.example", IdentityType::Group),
            ("sa:crm", IdentityType::System),
            ("dynamic:pg", IdentityType::User),
            ("system:jobs", IdentityType::ServiceAccount),
        ] {
            assert_eq!(check(text, given).unwrap_err().code(), Code::InvalidPolicy, "{text}");
        }
    }
}
