//! What users, service accounts, groups, partners and tenants share: pages of lists, and how an identity ends.

use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::sql::{Database, Param, Row, params};
use crate::tx::{Change, WriteTx};

/// Which part of a numbered list is wanted (contract 00 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
}

/// Some rows of a list and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub total: i64,
}

/// Conditions of a list, joined by AND, with their parameters.
pub(crate) struct Filter<'a> {
    conditions: Vec<String>,
    params: Vec<Param<'a>>,
}

impl<'a> Filter<'a> {
    /// Lists leave out what is deleted unless they are asked for it (contract 02 section 7).
    pub(crate) fn by_status(status: Option<&'a str>) -> Self {
        let mut filter = Self { conditions: Vec::new(), params: Vec::new() };
        match status {
            Some(status) => filter.and("status = ", status),
            None => filter.and("status <> ", "DELETED"),
        }
        filter
    }

    /// Adds `condition` with `value` as the parameter at its end.
    pub(crate) fn and(&mut self, condition: &str, value: impl Into<Param<'a>>) {
        self.params.push(value.into());
        self.conditions.push(format!("{condition}${}", self.params.len()));
    }

    /// Adds a condition that `column` holds `part` anywhere.
    pub(crate) fn and_holds(&mut self, column: &str, pattern: &'a str) {
        self.params.push(Param::Text(pattern));
        self.conditions.push(format!("{column} LIKE ${} ESCAPE '!'", self.params.len()));
    }

    /// Runs the list: one count, one page.
    pub(crate) fn list<T>(
        mut self,
        db: &mut impl Database,
        columns: &str,
        table: &str,
        order: &str,
        page: Page,
        read: impl FnMut(&dyn Row) -> StoreResult<T>,
    ) -> StoreResult<Listed<T>> {
        let condition = self.conditions.join(" AND ");
        let total = db.number(&format!("SELECT COUNT(*) FROM {table} WHERE {condition}"), &self.params)?;
        let at = self.params.len();
        self.params.extend([Param::Int(page.limit), Param::Int(page.offset)]);
        let sql = format!(
            "SELECT {columns} FROM {table} WHERE {condition} ORDER BY {order} LIMIT ${} OFFSET ${}",
            at + 1,
            at + 2
        );
        Ok(Listed { items: db.all(&sql, &self.params, read)?, total })
    }
}

/// The LIKE pattern that finds `part` anywhere, with `!` as the escape.
pub(crate) fn like_part(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Takes an identity out of everything that gave it rights: groups, bindings, and its tokens from now on.
pub fn detach(tx: &mut WriteTx<'_>, tenant_id: &str, identity_id: &str, at: Timestamp) -> StoreResult<()> {
    let connection = tx.connection()?;
    connection.execute("DELETE FROM membership WHERE member_id = $1 OR group_id = $1", params![identity_id])?;
    connection
        .execute("DELETE FROM binding WHERE tenant_id = $1 AND identity_key = $2", params![tenant_id, identity_id])?;
    crate::token::revoke_of_identity(tx, tenant_id, identity_id, at)
}

/// How many usable identities hold any of these roles (bits of a `RoleSet`), in all tenants that are not deleted.
pub fn count_with_roles(db: &mut impl Database, roles: i64) -> StoreResult<i64> {
    db.number(
        "SELECT COUNT(*) FROM (
           SELECT u.id FROM directory_user u JOIN tenant t ON t.id = u.tenant_id
            WHERE (u.roles & $1) <> 0 AND u.status = 'ACTIVE' AND t.status <> 'DELETED'
           UNION ALL
           SELECT s.id FROM service_account s JOIN tenant t ON t.id = s.tenant_id
            WHERE (s.roles & $1) <> 0 AND s.status = 'ACTIVE' AND t.status <> 'DELETED'
         ) holders",
        params![roles],
    )
}

/// The same within one tenant.
pub fn count_with_roles_in(db: &mut impl Database, tenant_id: &str, roles: i64) -> StoreResult<i64> {
    db.number(
        "SELECT COUNT(*) FROM (
           SELECT id FROM directory_user WHERE tenant_id = $2 AND (roles & $1) <> 0 AND status = 'ACTIVE'
           UNION ALL
           SELECT id FROM service_account WHERE tenant_id = $2 AND (roles & $1) <> 0 AND status = 'ACTIVE'
         ) holders",
        params![roles, tenant_id],
    )
}

/// Ends everybody in a tenant: no identity, membership, binding, credential or token of it is good for anything afterwards.
pub fn end_all_in(tx: &mut WriteTx<'_>, tenant_id: &str, at: Timestamp) -> StoreResult<()> {
    let connection = tx.connection()?;
    connection.execute(
        "UPDATE directory_user SET status = 'DELETED', password_hash = NULL, updated_at = $2
         WHERE tenant_id = $1 AND status <> 'DELETED'",
        params![tenant_id, at],
    )?;
    for table in ["service_account", "directory_group"] {
        connection.execute(
            &format!(
                "UPDATE {table} SET status = 'DELETED', updated_at = $2 WHERE tenant_id = $1 AND status <> 'DELETED'"
            ),
            params![tenant_id, at],
        )?;
    }
    for table in ["membership", "binding", "credential"] {
        connection.execute(&format!("DELETE FROM {table} WHERE tenant_id = $1"), params![tenant_id])?;
    }
    connection.execute(
        "UPDATE token SET revoked_at = $2 WHERE tenant_id = $1 AND revoked_at IS NULL",
        params![tenant_id, at],
    )?;
    // Shared secrets of the partner live on, without the policies that the tenant had attached to them.
    connection.execute(
        "UPDATE secret SET rotation_policy_id = NULL, rotation_assigned_at = NULL, rotation_assigned_by = NULL,
           secret_policy_id = NULL WHERE policy_tenant_id = $1 AND namespace <> $1",
        params![tenant_id],
    )?;
    tx.changed(Change::Access);
    tx.changed(Change::AllSecrets);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_of_a_search_are_only_characters() {
        assert_eq!(like_part("a_b%c!"), "%a!_b!%c!!%");
    }
}
