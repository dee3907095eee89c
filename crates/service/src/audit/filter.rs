//! Which entries a caller asks for. Shapes are checked here, so that every door refuses the same things.

use std::net::IpAddr;

use scaivault_domain::access::{Permit, TenantScope};
use scaivault_domain::audit::{AuditAction, INSTANCE_STREAM};
use scaivault_domain::id::{IdentityRef, IdentityType};
use scaivault_domain::path::PathPrefix;
use scaivault_domain::role::Role;
use scaivault_domain::time::Timestamp;
use scaivault_store::audit::EntryFilter;
use scaivault_store::{Database, group, service_account, user};

use crate::error::{Code, Error, FaultCode, FieldFault, Result};

/// Whose trail is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamChoice {
    /// The instance's own (`stream=system`).
    Instance,
    #[default]
    Tenant,
}

impl StreamChoice {
    /// The stream, if the caller may see it.
    ///
    /// # Errors
    /// `forbidden` for the instance's stream and anyone but a super_admin (contract 06 section 3).
    pub(crate) fn resolve(self, permit: &Permit) -> Result<String> {
        match self {
            Self::Tenant => Ok(permit.tenant().tenant().as_str().to_owned()),
            Self::Instance if permit.administers() == Some(Role::SuperAdmin) => Ok(INSTANCE_STREAM.to_owned()),
            Self::Instance => {
                let needed = Role::SuperAdmin.as_str();
                Err(Error::new(Code::Forbidden, format!("This needs role {needed}"))
                    .with("reason", format!("role_{needed}_required")))
            }
        }
    }
}

/// `from <= t < to`; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

impl TimeRange {
    /// # Errors
    /// A fault of `to` unless it is later than `from`.
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Self, FieldFault> {
        match (from, to) {
            (Some(from), Some(to)) if to <= from => {
                Err(FieldFault::new("to", FaultCode::Range, "must be later than from"))
            }
            _ => Ok(Self { from, to }),
        }
    }
}

/// The filters of `GET /v1/audit/logs`; what is empty wants all.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    pub range: TimeRange,
    pub actions: Vec<AuditAction>,
    pub identity: Option<IdentityRef>,
    pub identity_type: Option<IdentityType>,
    pub path_prefix: Option<PathPrefix>,
    pub success: Option<bool>,
    pub source_ip: Option<IpAddr>,
    pub request_id: Option<String>,
}

/// Reads `action`: one name, or several with commas.
///
/// # Errors
/// A fault that names the first unknown one.
pub fn parse_actions(text: &str) -> Result<Vec<AuditAction>, FieldFault> {
    let parse = |name: &str| {
        AuditAction::parse(name).ok_or_else(|| {
            // The name is the client's own text: shown in part only.
            let shown: String = name.chars().take(64).collect();
            FieldFault::new("action", FaultCode::Format, format!("'{shown}' is no audit action"))
        })
    };
    let mut actions = text.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    actions.sort_unstable();
    actions.dedup();
    Ok(actions)
}

/// Reads `identity_type`. Groups never act, so they are none.
///
/// # Errors
/// A fault for anything else than user, service_account and system.
pub fn parse_actor_type(text: &str) -> Result<IdentityType, FieldFault> {
    IdentityType::parse(text).filter(|kind| *kind != IdentityType::Group).ok_or_else(|| {
        FieldFault::new("identity_type", FaultCode::Format, "must be one of user, service_account, system")
    })
}

impl LogFilter {
    /// The store's terms; `None` when nothing can match because the identity is not there.
    pub(crate) fn resolve(&self, db: &mut impl Database, scope: &TenantScope) -> Result<Option<EntryFilter>> {
        let identity_id = match &self.identity {
            Some(identity) => match public_id(db, scope, identity)? {
                Some(id) => Some(id),
                None => return Ok(None),
            },
            None => None,
        };
        Ok(Some(EntryFilter {
            from: self.range.from,
            to: self.range.to,
            actions: self.actions.iter().map(|action| action.as_str().to_owned()).collect(),
            identity_id,
            identity_type: self.identity_type.map(|kind| kind.as_str().to_owned()),
            path: None,
            path_prefix: self.path_prefix.as_ref().map(|prefix| prefix.as_str().to_owned()),
            success: self.success,
            source_ip: self.source_ip.map(|ip| ip.to_canonical().to_string()),
            request_id: self.request_id.clone(),
        }))
    }
}

/// The form under which entries name an identity. Directory ids are looked up, those of deleted identities too; another
/// tenant's answer as absent.
pub(crate) fn public_id(db: &mut impl Database, scope: &TenantScope, identity: &IdentityRef) -> Result<Option<String>> {
    let tenant = scope.tenant().as_str();
    Ok(match identity {
        IdentityRef::DirectoryUser(id) => user::find(db, id.as_str())?
            .filter(|found| found.tenant_id == tenant)
            .map(|found| format!("user:{}", found.email)),
        IdentityRef::DirectoryServiceAccount(id) => service_account::find(db, id.as_str())?
            .filter(|found| found.tenant_id == tenant)
            .map(|found| format!("sa:{}", found.name)),
        IdentityRef::DirectoryGroup(id) => group::find(db, id.as_str())?
            .filter(|found| found.tenant_id == tenant)
            .map(|found| format!("group:{}", found.name)),
        IdentityRef::User(_) | IdentityRef::ServiceAccount(_) | IdentityRef::Group(_) | IdentityRef::System(_) => {
            Some(identity.to_string())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u_10_actions_are_read_strictly() {
        let read_and_write = [AuditAction::Read, AuditAction::Write];
        assert_eq!(parse_actions("read,write").unwrap(), read_and_write);
        assert_eq!(parse_actions("write,read,write").unwrap(), read_and_write);
        for bad in ["", "foo", "read,", ",read", "read, write", "Read"] {
            assert_eq!(parse_actions(bad).unwrap_err().field, "action", "{bad:?}");
        }
    }

    #[test]
    fn a_range_must_not_be_empty() {
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        assert!(TimeRange::new(at(1), at(2)).is_ok());
        assert!(TimeRange::new(at(2), None).is_ok() && TimeRange::new(None, at(2)).is_ok());
        assert_eq!(TimeRange::new(at(2), at(2)).unwrap_err().field, "to");
    }

    #[test]
    fn groups_do_not_act() {
        assert_eq!(parse_actor_type("system").unwrap(), IdentityType::System);
        assert!(parse_actor_type("group").is_err() && parse_actor_type("sa").is_err());
    }
}
