//! Making a token.

use scaivault_crypto::{OpaqueToken, TokenKind};
use scaivault_domain::access::Permit;
use scaivault_domain::duration::Span;
use scaivault_domain::id::{IdentityRef, TokenId};
use scaivault_domain::name::ResourceName;
use scaivault_domain::role::Role;
use scaivault_domain::scope::{Scope, ScopeSet};
use scaivault_domain::time::Timestamp;
use scaivault_store::WriteTx;
use scaivault_store::token::{self, TokenRecord};

use super::{Token, demand_identity_admin, is_caller};
use crate::context::{Context, Outcome};
use crate::error::{Code, Error, FaultCode, FieldFault, Result};
use crate::identity::{identity_not_found, lookup, rules};
use crate::operation::{Command, tenant_operation};
use crate::session::ACTIVE;

const DEFAULT_LIFE_SECONDS: i64 = 90 * 86_400;

/// `POST /v1/auth/tokens`
pub struct CreateToken {
    pub name: ResourceName,
    /// As given, so that faults can name their places.
    pub scopes: Vec<Scope>,
    /// `None`: the caller.
    pub identity: Option<IdentityRef>,
    pub expires_in: Option<Span>,
    pub ip_ranges: Vec<ipnet::IpNet>,
}

/// A new token, shown this once. Has no `Debug`: the text must not end in a log.
pub struct NewToken {
    pub token: Token,
    pub text: OpaqueToken,
}

tenant_operation!(CreateToken, TokenCreate, NewToken);

struct Owner {
    internal_id: String,
    identity_id: String,
    tenant_id: String,
    ceiling: ScopeSet,
}

impl Command for CreateToken {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<NewToken> {
        let owner = self.owner(permit, tx, cx)?;
        let expires_at = self.check(cx, owner.ceiling)?;
        let text = cx.vault.new_token(TokenKind::Personal)?;
        let record = TokenRecord {
            id: TokenId::from_ulid(cx.ulid()?).as_str().to_owned(),
            tenant_id: owner.tenant_id,
            identity_id: owner.internal_id,
            token_ref: text.token_ref(),
            name: self.name.as_str().to_owned(),
            scopes: i64::from(ScopeSet::from_iter(self.scopes.iter().copied()).bits()),
            ip_ranges: self.ranges(cx).iter().map(ToString::to_string).collect(),
            created_at: cx.now,
            expires_at,
            revoked_at: None,
            last_used_at: None,
            mfa_verified_at: None,
        };
        token::insert(tx, &record, text.hash().as_bytes())?;
        cx.touched(&record.id);
        cx.note("owner", owner.identity_id.as_str());
        cx.note("scopes", self.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>());
        cx.outcome(Outcome::Created);
        Ok(NewToken { token: Token::new(record, owner.identity_id), text })
    }
}

impl CreateToken {
    fn owner(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &Context<'_>) -> Result<Owner> {
        let own = cx.caller.identity();
        let Some(other) = self.identity.as_ref().filter(|wanted| !is_caller(cx.caller, wanted)) else {
            return Ok(Owner {
                internal_id: own.internal_id.clone(),
                identity_id: own.identity_id.clone(),
                tenant_id: own.tenant.as_str().to_owned(),
                ceiling: own.ceiling,
            });
        };
        let held = rules::demand(permit.administers(), Role::TenantAdmin)?;
        demand_identity_admin(cx.caller)?;
        let absent = || identity_not_found(&other.to_string());
        let found = lookup::in_tenant(tx, permit.tenant().tenant().as_str(), other)?.ok_or_else(absent)?;
        if !found.internal_id.starts_with("usr_") && !found.internal_id.starts_with("sa_") {
            return Err(absent());
        }
        rules::demand_rank(held, found.roles)?;
        if found.status != ACTIVE {
            let message = format!("{} is suspended", found.identity_id);
            return Err(Error::new(Code::InvalidState, message).with("state", found.status));
        }
        Ok(Owner {
            internal_id: found.internal_id,
            identity_id: found.identity_id,
            tenant_id: found.tenant_id,
            ceiling: found.ceiling,
        })
    }

    /// A token that is bound to addresses can't make one that is not: whoever stole it would be free of them.
    fn binding_ranges<'c>(cx: &'c Context<'_>) -> &'c [ipnet::IpNet] {
        if cx.caller.identity().roles.at_least(Role::TenantAdmin) { &[] } else { &cx.caller.session.ip_ranges }
    }

    fn ranges<'c>(&'c self, cx: &'c Context<'_>) -> &'c [ipnet::IpNet] {
        if self.ip_ranges.is_empty() { Self::binding_ranges(cx) } else { &self.ip_ranges }
    }

    fn range_faults(&self, cx: &Context<'_>) -> Vec<FieldFault> {
        let bounds = Self::binding_ranges(cx);
        let outside = |range: &ipnet::IpNet| !bounds.is_empty() && !bounds.iter().any(|bound| bound.contains(range));
        let wanted = self.ip_ranges.iter().enumerate();
        wanted
            .filter(|(_, range)| outside(range))
            .map(|(index, _)| {
                let message = "is outside the ranges that your own token is bound to";
                FieldFault::new(format!("ip_ranges[{index}]"), FaultCode::NotAllowed, message)
            })
            .collect()
    }

    /// When the token ends.
    ///
    /// # Errors
    /// `validation_error` for scopes or a lifetime beyond what the caller can give.
    fn check(&self, cx: &Context<'_>, ceiling: ScopeSet) -> Result<Timestamp> {
        let mut faults = scope_faults(&self.scopes, cx.caller.scopes(), ceiling);
        faults.extend(self.range_faults(cx));
        let longest = cx.vault.settings.token_max_ttl_seconds;
        // An administrator could make itself a longer one anyway, by way of another identity.
        let outlives = cx.caller.identity().roles.at_least(Role::TenantAdmin);
        let parent_end = (!outlives).then_some(cx.caller.session.token.expires_at);
        match lifetime(cx.now, self.expires_in.as_ref().map(Span::seconds), longest, parent_end) {
            Ok(end) if faults.is_empty() => Ok(end),
            Ok(_) => Err(Error::validation(faults)),
            Err(message) => {
                faults.push(FieldFault::new("expires_in", FaultCode::Range, message));
                Err(Error::validation(faults))
            }
        }
    }
}

fn scope_faults(wanted: &[Scope], own: ScopeSet, ceiling: ScopeSet) -> Vec<FieldFault> {
    let fault = |(index, scope): (usize, &Scope)| {
        let message = if !own.contains(*scope) {
            "is beyond the scopes of your own token"
        } else if !ceiling.contains(*scope) {
            "is beyond what the identity may hold"
        } else {
            return None;
        };
        Some(FieldFault::new(format!("scopes[{index}]"), FaultCode::NotAllowed, message))
    };
    wanted.iter().enumerate().filter_map(fault).collect()
}

/// The end of a token of `wanted` seconds. Nobody is refused a default that is too long: it is cut.
fn lifetime(
    now: Timestamp,
    wanted: Option<i64>,
    longest: i64,
    parent_end: Option<Timestamp>,
) -> Result<Timestamp, String> {
    if wanted.is_some_and(|seconds| seconds > longest) {
        return Err(format!("must be at most {}", Span::from_seconds(longest)));
    }
    let end = now.plus_seconds(wanted.unwrap_or(DEFAULT_LIFE_SECONDS.min(longest)));
    match parent_end.filter(|parent| *parent < end) {
        None => Ok(end),
        Some(parent) if wanted.is_none() => Ok(parent),
        Some(parent) => {
            Err(format!("must not outlive the token it is made with, which ends at {}", parent.to_rfc3339_seconds()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_6_scopes_stay_within_the_token_and_the_ceiling() {
        let own = ScopeSet::from_iter([Scope::SecretsRead, Scope::SecretsWrite]);
        let ceiling = ScopeSet::from_iter([Scope::SecretsRead, Scope::Admin]);
        assert!(scope_faults(&[Scope::SecretsRead], own, ceiling).is_empty());
        let faults = scope_faults(&[Scope::SecretsRead, Scope::Admin, Scope::SecretsWrite], own, ceiling);
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["scopes[1]", "scopes[2]"]);
    }

    #[test]
    fn lifetimes() {
        const DAY: i64 = 86_400;
        let now = Timestamp::UNIX_EPOCH;
        let at = |days: i64| now.plus_seconds(days * DAY);
        // Wanted, longest, end of the parent, result.
        let table = [
            (None, 366, None, Some(90)),
            (None, 30, None, Some(30)),
            (None, 366, Some(10), Some(10)),
            (None, 366, Some(100), Some(90)),
            (Some(366), 366, None, Some(366)),
            (Some(367), 366, None, None),
            (Some(10), 366, Some(10), Some(10)),
            (Some(11), 366, Some(10), None),
        ];
        for (wanted, longest, parent, expected) in table {
            let end = lifetime(now, wanted.map(|days: i64| days * DAY), longest * DAY, parent.map(at));
            assert_eq!(end.ok(), expected.map(at), "{wanted:?} {longest} {parent:?}");
        }
    }
}
