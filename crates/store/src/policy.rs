//! Policies: rules as JSON, owned by a tenant or by a partner.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Row, params};

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
