//! Policies: rules as JSON, owned by a tenant or by a partner.

use scaivault_domain::access::TenantScope;
use scaivault_domain::time::Timestamp;

use crate::binding::{self, Bound};
use crate::error::StoreResult;
use crate::sql::{Database, Row, json_text, params};
use crate::tx::{Change, WriteTx};

/// `PolicyRecord::scope` of a policy of one tenant.
pub const TENANT: &str = "tenant";
/// `PolicyRecord::scope` of a policy of a partner, which holds in all its tenants.
pub const PARTNER: &str = "partner";

#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRecord {
    pub id: String,
    /// The tenant's id, or the partner's when `scope` is `partner`.
    pub owner_id: String,
    pub scope: String,
    pub name: String,
    pub description: Option<String>,
    pub is_active: bool,
    /// The rules in the contract's wire shape.
    pub rules: serde_json::Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl PolicyRecord {
    pub fn is_of_partner(&self) -> bool {
        self.scope == PARTNER
    }
}

/// A policy as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyListed {
    pub record: PolicyRecord,
    pub binding_count: i64,
}

/// Which policies of a tenant and its partner are wanted.
#[derive(Debug, Clone, Copy)]
pub struct PolicyFilter<'a> {
    /// [`TENANT`], [`PARTNER`] or both.
    pub scope: Option<&'a str>,
    pub include_inactive: bool,
    /// Name and id of the last policy shown; a tenant's and a partner's policy may have one name.
    pub after: Option<(&'a str, &'a str)>,
    pub limit: i64,
}

pub(crate) const COLUMNS: &str =
    "p.id, p.owner_id, p.scope, p.name, p.description, p.is_active, p.rules, p.created_at, p.updated_at";

pub(crate) fn read(row: &dyn Row) -> StoreResult<PolicyRecord> {
    Ok(PolicyRecord {
        id: row.text(0)?,
        owner_id: row.text(1)?,
        scope: row.text(2)?,
        name: row.text(3)?,
        description: row.opt_text(4)?,
        is_active: row.flag(5)?,
        rules: row.json(6)?,
        created_at: row.time(7)?,
        updated_at: row.time(8)?,
    })
}

/// Policies bound to any of `identity_keys` in a tenant, each with the end of its binding, in the order of policy ids.
pub fn bound_to(
    db: &mut impl Database,
    tenant_id: &str,
    identity_keys: &[String],
) -> StoreResult<Vec<(PolicyRecord, Option<Timestamp>)>> {
    let mut found = Vec::new();
    for key in identity_keys {
        found.extend(db.all(
            &format!(
                "SELECT {COLUMNS}, b.expires_at FROM binding b JOIN policy p ON p.id = b.policy_id
                 WHERE b.tenant_id = $1 AND b.identity_key = $2"
            ),
            params![tenant_id, key],
            |row| Ok((read(row)?, row.opt_time(9)?)),
        )?);
    }
    found.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    Ok(found)
}

/// A policy of the tenant or of its partner; anybody else's answers as absent.
pub fn find(db: &mut impl Database, scope: &TenantScope, id: &str) -> StoreResult<Option<PolicyRecord>> {
    db.first(
        &format!("SELECT {COLUMNS} FROM policy p WHERE p.id = $1 AND p.owner_id IN ($2, $3)"),
        params![id, scope.tenant().as_str(), scope.partner().as_str()],
        read,
    )
}

/// The id of the policy that has a name already.
pub fn id_of_name(db: &mut impl Database, owner_id: &str, name: &str) -> StoreResult<Option<String>> {
    db.first("SELECT id FROM policy WHERE owner_id = $1 AND name = $2", params![owner_id, name], |row| row.text(0))
}

/// Policies of the tenant and of its partner by name. `bound` says which bindings count.
pub fn list(
    db: &mut impl Database,
    scope: &TenantScope,
    bound: Bound<'_>,
    filter: &PolicyFilter<'_>,
) -> StoreResult<Vec<PolicyListed>> {
    let (tenant, partner) = (scope.tenant().as_str(), scope.partner().as_str());
    // The same id twice asks for one owner: one statement for all three filters.
    let (one, other) = match filter.scope {
        Some(PARTNER) => (partner, partner),
        Some(_) => (tenant, tenant),
        None => (tenant, partner),
    };
    let (name, id) = filter.after.unwrap_or(("", ""));
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT COUNT(*) {from} WHERE b.policy_id = p.id AND ($7 = '' OR b.tenant_id = $7) AND {living})
         FROM policy p
         WHERE p.owner_id IN ($1, $2) AND p.is_active >= $3 AND (p.name > $4 OR (p.name = $4 AND p.id > $5))
         ORDER BY p.name, p.id LIMIT $6",
        from = binding::FROM,
        living = binding::LIVING,
    );
    db.all(&sql, params![one, other, !filter.include_inactive, name, id, filter.limit, bound.tenant()], |row| {
        Ok(PolicyListed { record: read(row)?, binding_count: row.int(9)? })
    })
}

pub fn insert(tx: &mut WriteTx<'_>, record: &PolicyRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "INSERT INTO policy (id, owner_id, scope, name, description, is_active, rules, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            &record.id,
            &record.owner_id,
            &record.scope,
            &record.name,
            &record.description,
            record.is_active,
            &json_text(&record.rules)?,
            record.created_at,
            record.updated_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Writes back what can change.
pub fn update(tx: &mut WriteTx<'_>, record: &PolicyRecord) -> StoreResult<()> {
    tx.connection()?.execute(
        "UPDATE policy SET name = $2, description = $3, is_active = $4, rules = $5, updated_at = $6 WHERE id = $1",
        params![
            &record.id,
            &record.name,
            &record.description,
            record.is_active,
            &json_text(&record.rules)?,
            record.updated_at
        ],
    )?;
    tx.changed(Change::Access);
    Ok(())
}

/// Removes a policy with every binding, also those whose identity is gone.
pub fn delete(tx: &mut WriteTx<'_>, id: &str) -> StoreResult<()> {
    tx.connection()?.execute("DELETE FROM binding WHERE policy_id = $1", params![id])?;
    tx.connection()?.execute("DELETE FROM policy WHERE id = $1", params![id])?;
    tx.changed(Change::Access);
    Ok(())
}
