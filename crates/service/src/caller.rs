//! Who asks: the request's own facts, the token, the identity behind it, and where it acts.

use std::net::IpAddr;
use std::sync::Arc;

use scaivault_crypto::TokenHash;
use scaivault_domain::access::Standing;
use scaivault_domain::condition::Facts;
use scaivault_domain::id::{IdentityType, PartnerId, TenantId};
use scaivault_domain::policy::BoundPolicy;
use scaivault_domain::role::{Role, RoleSet};
use scaivault_domain::scope::ScopeSet;
use scaivault_domain::time::Timestamp;
use scaivault_store::token::TokenRecord;

/// What a door knows of a request before anybody is authenticated.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    /// `req_` and a ULID, made by the server.
    pub request_id: String,
    /// What the client sent as its own id; kept in the audit entry, used for nothing.
    pub client_request_id: Option<String>,
    pub source_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub started: Timestamp,
    /// `Cache-Control: no-cache`: read the database, not the cache.
    pub fresh: bool,
}

/// An identity as the directory has it now.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `usr_...` or `sa_...`.
    pub internal_id: String,
    pub identity_type: IdentityType,
    /// `user:mia@firm.example`, `sa:crm`.
    pub identity_id: String,
    pub display_name: Option<String>,
    pub tenant: TenantId,
    pub partner: PartnerId,
    pub roles: RoleSet,
    /// The scopes it may hold at all.
    pub ceiling: ScopeSet,
    /// `group:...`, direct and through nesting.
    pub groups: Vec<String>,
}

/// What the cache remembers of a token: all that a request with it needs.
#[derive(Debug)]
pub struct Session {
    /// Under which the cache knows it.
    pub(crate) hash: TokenHash,
    pub token: TokenRecord,
    /// Of the token, cut by the identity's ceiling as it is now.
    pub scopes: ScopeSet,
    pub identity: Identity,
    pub home_tenant_suspended: bool,
    pub policies: Arc<[BoundPolicy]>,
    pub ip_ranges: Vec<ipnet::IpNet>,
    /// Deleted or suspended identities end their tokens.
    pub identity_ended: bool,
}

/// An authenticated request that acts in one tenant.
#[derive(Debug)]
pub struct Caller {
    pub meta: RequestMeta,
    pub session: Arc<Session>,
    pub standing: Standing,
    pub settings: scaivault_store::tenant::TenantSettings,
}

impl Caller {
    pub fn identity(&self) -> &Identity {
        &self.session.identity
    }

    pub fn scopes(&self) -> ScopeSet {
        self.session.scopes
    }

    pub fn has_role(&self, role: Role) -> bool {
        self.session.identity.roles.contains(role)
    }

    pub fn facts(&self, now: Timestamp, default_mfa_max_age_seconds: i64) -> Facts {
        Facts {
            source_ip: self.meta.source_ip,
            mfa_verified_at: self.session.token.mfa_verified_at,
            now,
            default_mfa_max_age_seconds,
        }
    }

    /// The tenant the request acts in, for what needs no further decision.
    pub fn tenant_id(&self) -> &TenantId {
        &self.standing.tenant
    }
}
