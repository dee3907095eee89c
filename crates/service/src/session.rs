//! From a bearer token to a [`Session`], and from a session to the tenant it acts in (contract 00 sections 3 and 4).

use std::sync::Arc;

use scaivault_crypto::{OpaqueToken, TokenHash};
use scaivault_domain::access::Standing;
use scaivault_domain::action::Action;
use scaivault_domain::id::{IdentityType, PartnerId, PolicyId, TenantId};
use scaivault_domain::policy::{self, BoundPolicy};
use scaivault_domain::role::{Role, RoleSet};
use scaivault_domain::scope::ScopeSet;
use scaivault_domain::time::Timestamp;
use scaivault_store::tenant::TenantRecord;
use scaivault_store::token::TokenRecord;
use scaivault_store::{Database, ReadView, StoreError, StoreResult, group, service_account, tenant, token, user};

use crate::admit::{check_scopes, check_token_address};
use crate::caller::{Caller, Identity, RequestMeta, Session};
use crate::error::{Code, Error, Result};
use crate::vault::Vault;

/// Status of partners, tenants, identities that may be used.
pub(crate) const ACTIVE: &str = "ACTIVE";
pub(crate) const SUSPENDED: &str = "SUSPENDED";
pub(crate) const DELETED: &str = "DELETED";

/// `tnt_` and 64 characters.
const TENANT_ID_CHARS: usize = 68;

/// Which tenant a request names, if any.
#[derive(Debug, Clone, Copy)]
pub enum TenantChoice<'a> {
    /// Routes where naming a tenant has no effect.
    Home,
    Named(Option<&'a str>),
}

impl Vault {
    /// # Errors
    /// 401 in its four kinds; an unknown token never says more than `token_invalid`.
    pub(crate) async fn authenticate(self: &Arc<Self>, bearer: Option<&str>, now: Timestamp) -> Result<Arc<Session>> {
        let Some(text) = bearer else {
            return Err(Error::new(
                Code::AuthenticationRequired,
                "Send your token in the header 'Authorization: Bearer <token>'",
            ));
        };
        let invalid = || Error::new(Code::TokenInvalid, "The token is not valid here; check that it was copied whole");
        // The checksum is looked at before the store: guesses cost the database nothing.
        let hash = OpaqueToken::parse(text).map_err(|_| invalid())?.hash();
        self.session(hash, now).await?.ok_or_else(invalid)
    }

    /// The session of a token by its digest; `None` for one that was never made.
    ///
    /// # Errors
    /// 401 for a token that is good no longer.
    async fn session(self: &Arc<Self>, hash: TokenHash, now: Timestamp) -> Result<Option<Arc<Session>>> {
        let session = match self.sessions.get(&hash) {
            Some(session) => session,
            None => {
                let vault = Arc::clone(self);
                let loaded = tokio::task::spawn_blocking(move || {
                    vault.sessions.get_or_load(hash, |hash| match vault.store.read(|view| load_session(view, hash)) {
                        Ok(Some(session)) => Ok(Arc::new(session)),
                        Ok(None) => Err(None),
                        Err(error) => Err(Some(error)),
                    })
                })
                .await
                .map_err(Error::internal)?;
                match loaded {
                    Ok(session) => session,
                    Err(None) => return Ok(None),
                    Err(Some(fault)) => return Err(fault.into()),
                }
            }
        };
        if session.token.revoked_at.is_some() || session.identity_ended {
            return Err(token_revoked());
        }
        if session.token.expires_at <= now {
            return Err(Error::new(Code::TokenExpired, "The token has expired; get a new one")
                .with("expired_at", session.token.expires_at.to_rfc3339_seconds()));
        }
        Ok(Some(session))
    }

    /// The caller of a request that goes on for long, as it stands now: token, tenant, address, scope and rights may have been lost
    /// since it was admitted.
    ///
    /// # Errors
    /// What it would hear if it asked now.
    pub(crate) async fn revisit(self: &Arc<Self>, caller: &Caller, action: Action) -> Result<Caller> {
        self.keyring.unsealed()?;
        let session = self.session(caller.session.hash, self.clock.now()).await?.ok_or_else(token_revoked)?;
        let choice = TenantChoice::Named(Some(caller.standing.tenant.as_str()));
        let caller = self.enter(caller.meta.clone(), session, choice).await?;
        check_token_address(&caller)?;
        check_scopes(&caller, action)?;
        Ok(caller)
    }

    /// Resolves the tenant that a request acts in.
    ///
    /// # Errors
    /// `tenant_access_denied` or, only for who may ask, `tenant_not_found`.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        meta: RequestMeta,
        session: Arc<Session>,
        choice: TenantChoice<'_>,
    ) -> Result<Caller> {
        let identity = &session.identity;
        let named = match choice {
            TenantChoice::Home | TenantChoice::Named(None) => identity.tenant.as_str(),
            TenantChoice::Named(Some(name)) => name,
        };
        // What is echoed and audited of a name that may be none: no longer than an id can be.
        let shown: String = named.chars().take(TENANT_ID_CHARS).collect();
        let denied = |reason: Option<&str>| {
            let error = Error::new(Code::TenantAccessDenied, format!("You may not act in tenant '{shown}'"))
                .with("tenant_id", shown.as_str());
            match reason {
                Some(reason) => error.with("reason", reason),
                None => error,
            }
        };
        if named != identity.tenant.as_str() && !crosses_tenants(identity) {
            return Err(denied(None));
        }
        let absent = || {
            Error::new(Code::TenantNotFound, format!("Tenant '{shown}' not found")).with("tenant_id", shown.as_str())
        };
        let record = self.tenant_record(named).await?.filter(|record| record.status != DELETED).ok_or_else(absent)?;
        check_border(identity, &record).map_err(|border| match border {
            Border::Closed => denied(None),
            Border::Suspended => denied(Some("tenant_suspended")),
        })?;
        let standing = standing_in(identity, &session.policies, &record)?;
        Ok(Caller { meta, session, standing, settings: record.settings.clone() })
    }

    async fn tenant_record(self: &Arc<Self>, id: &str) -> Result<Option<Arc<TenantRecord>>> {
        if let Some(found) = self.tenants.get(id) {
            return Ok(found);
        }
        // Names that no tenant can have are not worth a query, nor a place in the cache.
        if TenantId::parse(id).is_err() {
            return Ok(None);
        }
        let (vault, id) = (Arc::clone(self), id.to_owned());
        tokio::task::spawn_blocking(move || {
            vault
                .tenants
                .get_or_load(id, |id| vault.store.read(|view| tenant::find(view, id)).map(|found| found.map(Arc::new)))
        })
        .await
        .map_err(Error::internal)?
        .map_err(Error::from)
    }
}

/// Why an identity may not act in a tenant.
pub(crate) enum Border {
    Closed,
    Suspended,
}

fn crosses_tenants(identity: &Identity) -> bool {
    identity.roles.contains(Role::PartnerAdmin) || identity.roles.contains(Role::SuperAdmin)
}

/// Whether an identity may act in a tenant at all, by its home and its roles.
pub(crate) fn check_border(identity: &Identity, tenant: &TenantRecord) -> Result<(), Border> {
    if identity.roles.contains(Role::SuperAdmin) {
        return Ok(());
    }
    let at_home = tenant.id == identity.tenant.as_str();
    if !(at_home || crosses_tenants(identity)) || tenant.partner_id != identity.partner.as_str() {
        return Err(Border::Closed);
    }
    if tenant.status == ACTIVE { Ok(()) } else { Err(Border::Suspended) }
}

/// What an identity is in a tenant that it may act in.
pub(crate) fn standing_in(
    identity: &Identity,
    policies: &Arc<[BoundPolicy]>,
    tenant: &TenantRecord,
) -> StoreResult<Standing> {
    let at_home = tenant.id == identity.tenant.as_str();
    Ok(Standing {
        tenant: TenantId::parse(&tenant.id).map_err(StoreError::corrupt)?,
        partner: PartnerId::parse(&tenant.partner_id).map_err(StoreError::corrupt)?,
        home_tenant: identity.tenant.clone(),
        home_partner: identity.partner.clone(),
        roles: identity.roles,
        // In another tenant only roles count (contract 03 section 4).
        policies: if at_home { Arc::clone(policies) } else { Arc::from([]) },
    })
}

pub(crate) fn token_revoked() -> Error {
    Error::new(Code::TokenRevoked, "The token was revoked, or its identity was suspended or deleted")
}

fn load_session(view: &mut ReadView<'_>, hash: &TokenHash) -> StoreResult<Option<Session>> {
    let Some(token) = token::find_by_hash(view, hash.as_bytes())? else { return Ok(None) };
    session_of(view, *hash, token).map(Some)
}

/// Builds what a token means now.
pub(crate) fn session_of(view: &mut ReadView<'_>, hash: TokenHash, token: TokenRecord) -> StoreResult<Session> {
    let (identity, status) = load_identity(view, &token.identity_id)?
        .ok_or_else(|| StoreError::corrupt("a token names an identity that is not there"))?;
    let home = tenant::find(view, identity.tenant.as_str())?
        .ok_or_else(|| StoreError::corrupt("an identity without tenant"))?;
    let policies = bound_policies(view, identity.tenant.as_str(), &identity.internal_id)?;
    let ip_ranges = token
        .ip_ranges
        .iter()
        .map(|range| range.parse().map_err(|_| StoreError::corrupt("a token's IP range can't be read")))
        .collect::<StoreResult<Vec<ipnet::IpNet>>>()?;
    Ok(Session {
        scopes: ScopeSet::from_bits(bits32(token.scopes)).intersect(identity.ceiling),
        home_tenant_suspended: home.status == SUSPENDED,
        identity_ended: status != ACTIVE || home.status == DELETED,
        hash,
        token,
        identity,
        policies: policies.into(),
        ip_ranges,
    })
}

/// Reads a stored bit set; bits beyond the type can't have been written by us and are dropped, which only narrows.
pub(crate) fn bits32(stored: i64) -> u32 {
    (stored & i64::from(u32::MAX)).try_into().unwrap_or(0)
}

/// An identity by its internal id, with its status.
pub(crate) fn load_identity(view: &mut impl Database, internal_id: &str) -> StoreResult<Option<(Identity, String)>> {
    struct Row {
        identity_type: IdentityType,
        name: String,
        display_name: Option<String>,
        tenant_id: String,
        roles: i64,
        allowed_scopes: Option<i64>,
        status: String,
    }
    let row = if internal_id.starts_with("usr_") {
        user::find(view, internal_id)?.map(|user| Row {
            identity_type: IdentityType::User,
            name: format!("user:{}", user.email),
            display_name: user.display_name,
            tenant_id: user.tenant_id,
            roles: user.roles,
            allowed_scopes: user.allowed_scopes,
            status: user.status,
        })
    } else {
        service_account::find(view, internal_id)?.map(|account| Row {
            identity_type: IdentityType::ServiceAccount,
            name: format!("sa:{}", account.name),
            display_name: account.description,
            tenant_id: account.tenant_id,
            roles: account.roles,
            allowed_scopes: account.allowed_scopes,
            status: account.status,
        })
    };
    let Some(row) = row else { return Ok(None) };
    let home = tenant::find(view, &row.tenant_id)?.ok_or_else(|| StoreError::corrupt("an identity without tenant"))?;
    let groups = group::closure(view, internal_id)?.into_iter().map(|group| format!("group:{}", group.name)).collect();
    let roles = RoleSet::from_bits(bits32(row.roles) as u8);
    let identity = Identity {
        internal_id: internal_id.to_owned(),
        identity_type: row.identity_type,
        identity_id: row.name,
        display_name: row.display_name,
        tenant: TenantId::parse(&home.id).map_err(StoreError::corrupt)?,
        partner: PartnerId::parse(&home.partner_id).map_err(StoreError::corrupt)?,
        roles,
        ceiling: ceiling(row.allowed_scopes, roles),
        groups,
    };
    Ok(Some((identity, row.status)))
}

/// The scopes an identity may hold (contract 02 section 2): its own list, else all for admins and the usual ones for others.
pub(crate) fn ceiling(allowed_scopes: Option<i64>, roles: RoleSet) -> ScopeSet {
    match allowed_scopes {
        Some(bits) => ScopeSet::from_bits(bits32(bits)),
        None if roles.is_empty() => ScopeSet::DEFAULT_CEILING,
        None => ScopeSet::ALL,
    }
}

/// Policies that hold for an identity, directly or through groups: each once, with the binding that lasts longest.
pub(crate) fn bound_policies(
    view: &mut impl Database,
    tenant_id: &str,
    identity_key: &str,
) -> StoreResult<Vec<BoundPolicy>> {
    let mut keys = vec![identity_key.to_owned()];
    keys.extend(group::closure(view, identity_key)?.into_iter().map(|group| group.id));
    let mut bound: Vec<BoundPolicy> = Vec::new();
    for (record, expires_at) in scaivault_store::policy::bound_to(view, tenant_id, &keys)? {
        if let Some(earlier) = bound.last_mut().filter(|earlier| earlier.policy_id.as_str() == record.id) {
            earlier.binding_expires_at = match (earlier.binding_expires_at, expires_at) {
                (Some(a), Some(b)) => Some(a.max(b)),
                _ => None,
            };
            continue;
        }
        bound.push(BoundPolicy {
            policy_id: PolicyId::parse(&record.id).map_err(StoreError::corrupt)?,
            name: record.name,
            is_active: record.is_active,
            binding_expires_at: expires_at,
            rules: policy::rules_from_json(&record.rules.to_string()).map_err(StoreError::corrupt)?,
        });
    }
    Ok(bound)
}
