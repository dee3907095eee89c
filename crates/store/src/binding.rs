//! Bindings: which identities a policy holds for.
//!
//! A binding keeps the internal id of its identity, so that a new user with an old e-mail inherits nothing. What answers show
//! is looked up in the directory; a binding whose identity was deleted grants nothing any more and is not shown.

use scaivault_domain::access::TenantScope;
use scaivault_domain::id::IdentityRef;
use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};
use crate::tx::{Change, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingRecord {
    pub id: String,
    pub policy_id: String,
    /// Home of the identity.
    pub tenant_id: String,
    pub identity_type: String,
    /// `usr_...`, `sa_...`, `grp_...`, or the whole text of an engine or backend.
    pub identity_key: String,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub created_by: String,
    /// When its end was told of.
    pub lapsed_at: Option<Timestamp>,
}

/// A binding with the public name of its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingShown {
    pub record: BindingRecord,
    /// `user:<email>`, `sa:<name>`, `group:<name>`, `dynamic:<engine>` or `federation:<backend>`.
    pub identity_id: String,
}

/// Whose bindings of a policy are meant: a partner's policy is bound in many tenants, and none of them has any business with
/// the identities of the others.
#[derive(Debug, Clone, Copy)]
pub enum Bound<'a> {
    Anywhere,
    In(&'a TenantScope),
}

impl<'a> Bound<'a> {
    /// The tenant's id, or the empty text for any.
    pub(crate) fn tenant(self) -> &'a str {
        match self {
            Self::Anywhere => "",
            Self::In(scope) => scope.tenant().as_str(),
        }
    }
}

/// An identity found by what a client calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFound {
    /// What bindings hold.
    pub key: String,
    pub tenant_id: String,
    /// What answers show.
    pub identity_id: String,
}

/// A binding `b` and who it may be for.
pub(crate) const FROM: &str = "FROM binding b
     LEFT JOIN directory_user u ON u.id = b.identity_key AND u.status <> 'DELETED'
     LEFT JOIN service_account a ON a.id = b.identity_key AND a.status <> 'DELETED'
     LEFT JOIN directory_group g ON g.id = b.identity_key AND g.status <> 'DELETED'";

/// Holds of [`FROM`] when the identity exists. Engines and backends may be bound before they do.
pub(crate) const LIVING: &str = "(u.id IS NOT NULL OR a.id IS NOT NULL OR g.id IS NOT NULL
     OR b.identity_key LIKE 'dynamic:%' OR b.identity_key LIKE 'federation:%')";

const SHOWN: &str =
    "b.id, b.policy_id, b.tenant_id, b.identity_type, b.identity_key, b.expires_at, b.created_at, b.created_by,
     COALESCE('user:' || u.email, 'sa:' || a.name, 'group:' || g.name, b.identity_key), b.lapsed_at";

fn read(row: &dyn Row) -> StoreResult<BindingShown> {
    Ok(BindingShown {
        record: BindingRecord {
            id: row.text(0)?,
            policy_id: row.text(1)?,
            tenant_id: row.text(2)?,
            identity_type: row.text(3)?,
            identity_key: row.text(4)?,
            expires_at: row.opt_time(5)?,
            created_at: row.time(6)?,
            created_by: row.text(7)?,
            lapsed_at: row.opt_time(9)?,
        },
        identity_id: row.text(8)?,
    })
}

/// The bindings of a policy after the one called `after`, in the order of their ids, which is that of their making.
pub fn list(
    db: &mut impl Database,
    policy_id: &str,
    bound: Bound<'_>,
    after: Option<&str>,
    limit: i64,
) -> StoreResult<Vec<BindingShown>> {
    db.all(
        &format!(
            "SELECT {SHOWN} {FROM}
             WHERE b.policy_id = $1 AND ($2 = '' OR b.tenant_id = $2) AND b.id > $3 AND {LIVING}
             ORDER BY b.id LIMIT $4"
        ),
        params![policy_id, bound.tenant(), after.unwrap_or(""), limit],
        read,
    )
}

pub fn find(db: &mut impl Database, policy_id: &str, bound: Bound<'_>, id: &str) -> StoreResult<Option<BindingShown>> {
    db.first(
        &format!(
            "SELECT {SHOWN} {FROM}
             WHERE b.policy_id = $1 AND ($2 = '' OR b.tenant_id = $2) AND b.id = $3 AND {LIVING}"
        ),
        params![policy_id, bound.tenant(), id],
        read,
    )
}

/// Every binding of a policy to a living identity, in all tenants.
pub fn of_policy(db: &mut impl Database, policy_id: &str) -> StoreResult<Vec<BindingShown>> {
    list(db, policy_id, Bound::Anywhere, None, i64::MAX)
}

/// Every binding of an identity that is still there.
pub fn of_identity(db: &mut impl Database, tenant_id: &str, identity_key: &str) -> StoreResult<Vec<BindingShown>> {
    db.all(
        &format!("SELECT {SHOWN} {FROM} WHERE b.tenant_id = $1 AND b.identity_key = $2 AND {LIVING} ORDER BY b.id"),
        params![tenant_id, identity_key],
        read,
    )
}

/// A binding of a living identity in a tenant, whatever its policy.
pub fn in_tenant(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<Option<BindingShown>> {
    db.first(
        &format!("SELECT {SHOWN} {FROM} WHERE b.tenant_id = $1 AND b.id = $2 AND {LIVING}"),
        params![scope.tenant().as_str(), id],
        read,
    )
}

/// How many living identities a policy is bound to, in all tenants.
pub fn count(db: &mut impl Database, policy_id: &str) -> StoreResult<i64> {
    db.number(&format!("SELECT COUNT(*) {FROM} WHERE b.policy_id = $1 AND {LIVING}"), params![policy_id])
}

/// The id of the binding that an identity has already.
pub fn id_of_identity(
    db: &mut impl Database,
    policy_id: &str,
    tenant_id: &str,
    identity_key: &str,
) -> StoreResult<Option<String>> {
    db.first(
        "SELECT id FROM binding WHERE policy_id = $1 AND tenant_id = $2 AND identity_key = $3",
        params![policy_id, tenant_id, identity_key],
        |row| row.text(0),
    )
}

pub fn insert(tx: &mut WriteTx<'_>, record: &BindingRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO binding (id, policy_id, tenant_id, identity_type, identity_key, expires_at, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            &record.id,
            &record.policy_id,
            &record.tenant_id,
            &record.identity_type,
            &record.identity_key,
            record.expires_at,
            record.created_at,
            &record.created_by
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// The end of a binding was told of. It grants nothing since that time; the row stays.
pub fn lapsed(tx: &mut WriteTx<'_>, id: &str, now: Timestamp) -> StoreResult<()> {
    tx.connection()?.execute("UPDATE binding SET lapsed_at = $2 WHERE id = $1", params![id, now])?;
    Ok(())
}

pub fn delete(tx: &mut WriteTx<'_>, id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM binding WHERE id = $1", params![id])?;
    tx.changed(Change::Access);
    Ok(())
}

/// An identity of the tenant. Engines and backends are always there: they may be bound before they exist.
pub fn identity_in_tenant(
    db: &mut impl Database,
    scope: &TenantScope,
    reference: &IdentityRef,
) -> StoreResult<Option<IdentityFound>> {
    if let IdentityRef::System(text) = reference {
        // What the server itself does needs no policy, so there is nothing of that name to bind.
        let found = IdentityFound {
            key: text.clone(),
            tenant_id: scope.tenant().as_str().to_owned(),
            identity_id: text.clone(),
        };
        return Ok(Some(found).filter(|_| !text.starts_with("system:")));
    }
    Ok(search(db, reference, "t.id", scope.tenant().as_str())?.pop())
}

/// Identities of any tenant of the partner, at most two: more than one is all that has to be known.
pub fn identities_in_partner(
    db: &mut impl Database,
    scope: &TenantScope,
    reference: &IdentityRef,
) -> StoreResult<Vec<IdentityFound>> {
    search(db, reference, "t.partner_id", scope.partner().as_str())
}

/// `place` is the column that must be `owner_id`.
fn search(
    db: &mut impl Database,
    reference: &IdentityRef,
    place: &str,
    owner_id: &str,
) -> StoreResult<Vec<IdentityFound>> {
    let (table, prefix, name, column, wanted) = match reference {
        IdentityRef::User(email) => ("directory_user", "user:", "email", "email", email.as_str()),
        IdentityRef::DirectoryUser(id) => ("directory_user", "user:", "email", "id", id.as_str()),
        IdentityRef::ServiceAccount(name) => ("service_account", "sa:", "name", "name", name.as_str()),
        IdentityRef::DirectoryServiceAccount(id) => ("service_account", "sa:", "name", "id", id.as_str()),
        IdentityRef::Group(name) => ("directory_group", "group:", "name", "name", name.as_str()),
        IdentityRef::DirectoryGroup(id) => ("directory_group", "group:", "name", "id", id.as_str()),
        IdentityRef::System(_) => return Ok(Vec::new()),
    };
    db.all(
        &format!(
            "SELECT i.id, i.tenant_id, i.{name} FROM {table} i JOIN tenant t ON t.id = i.tenant_id
             WHERE i.{column} = $1 AND {place} = $2 AND i.status <> 'DELETED' AND t.status <> 'DELETED'
             ORDER BY i.tenant_id LIMIT 2"
        ),
        params![wanted, owner_id],
        |row| {
            let identity_id = format!("{prefix}{}", row.text(2)?);
            Ok(IdentityFound { key: row.text(0)?, tenant_id: row.text(1)?, identity_id })
        },
    )
}
