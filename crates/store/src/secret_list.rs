//! Listing: ordered scans over the secrets of one namespace.
//!
//! What SQL can say, it says; what the caller may see is a matter of globs and stays with the caller, which narrows the scan to
//! ranges of paths and looks at each row. A scan stops when its reader has enough.

use scaivault_domain::access::SecretScope;
use scaivault_domain::secret::SecretType;
use scaivault_domain::time::Timestamp;

use crate::error::StoreResult;
use crate::secret::{self, SecretRecord};
use crate::sql::{Database, Param, prefix_end};

/// Conditions on the secrets themselves; all must hold.
#[derive(Debug, Clone, Default)]
pub struct Criteria {
    pub tags: Vec<String>,
    pub secret_type: Option<SecretType>,
    pub owner: Option<String>,
    /// Exclusive.
    pub expires_before: Option<Timestamp>,
    pub updated_from: Option<Timestamp>,
    pub include_expired: bool,
    pub include_deleted: bool,
}

/// Where a scan begins, after the last item of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// By path.
    Path(String),
    /// By path, beyond everything that begins with this.
    Subtree(String),
    /// By a time and then by path.
    TimeAndPath(Timestamp, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    ExpiresAt,
    Path,
    /// Newest first, then by path.
    UpdatedAt,
}

/// A scan is read in parts, because an engine may send a whole answer before its first row can be looked at. Most readers stop within
/// the first.
const FIRST_PART: i64 = 256;
const LARGEST_PART: i64 = 4096;

impl Order {
    /// Where a scan that saw this secret goes on.
    fn place(self, record: &SecretRecord) -> After {
        let path = record.path.clone();
        match (self, record.expires_at) {
            (Self::ExpiresAt, Some(expires_at)) => After::TimeAndPath(expires_at, path),
            (Self::UpdatedAt, _) => After::TimeAndPath(record.updated_at, path),
            (Self::Path | Self::ExpiresAt, _) => After::Path(path),
        }
    }
}

/// Hands over the secrets below `prefix` that meet `criteria`, in `order`, until `each` answers `false`.
pub fn scan(
    db: &mut impl Database,
    scope: &SecretScope,
    prefix: &str,
    criteria: &Criteria,
    order: Order,
    after: Option<&After>,
    now: Timestamp,
    mut each: impl FnMut(SecretRecord) -> StoreResult<bool>,
) -> StoreResult<()> {
    let columns: Vec<String> = secret::COLUMNS.split(", ").map(|column| format!("s.{}", column.trim())).collect();
    let columns = columns.join(", ");
    let (mut after, mut part) = (after.cloned(), FIRST_PART);
    loop {
        let mut select = Select::new(scope, prefix, criteria, order, after.as_ref(), now);
        let sql = format!("{} LIMIT {part}", select.text(&columns, true));
        let (mut found, mut last) = (0, None);
        db.connection()?.query(&sql, &select.params(), &mut |row| {
            let record = secret::read(row)?;
            found += 1;
            if found == part {
                last = Some(order.place(&record));
            }
            let goes_on = each(record)?;
            if !goes_on {
                last = None;
            }
            Ok(goes_on)
        })?;
        if last.is_none() {
            return Ok(());
        }
        after = last;
        part = (part * 4).min(LARGEST_PART);
    }
}

/// How many secrets below `prefix` meet `criteria`.
pub fn count(
    db: &mut impl Database,
    scope: &SecretScope,
    prefix: &str,
    criteria: &Criteria,
    now: Timestamp,
) -> StoreResult<i64> {
    let mut select = Select::new(scope, prefix, criteria, Order::Path, None, now);
    let sql = select.text("COUNT(*)", false);
    db.number(&sql, &select.params())
}

/// The paths below `prefix` that meet `criteria`, each with whether it is deleted: for counting what a caller may see.
pub fn paths(
    db: &mut impl Database,
    scope: &SecretScope,
    prefix: &str,
    criteria: &Criteria,
    now: Timestamp,
    mut each: impl FnMut(&str, bool) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut select = Select::new(scope, prefix, criteria, Order::Path, None, now);
    let sql = select.text("s.path, s.deleted_at", false);
    db.connection()?.query(&sql, &select.params(), &mut |row| {
        each(&row.text(0)?, row.opt_int(1)?.is_some())?;
        Ok(true)
    })
}

#[derive(Debug)]
enum Bound {
    Int(i64),
    Text(String),
}

/// A statement under construction: conditions and what they bind.
struct Select<'a> {
    /// With a tag the scan runs over the tag's own ordered index and joins the secrets to it.
    driver_tag: Option<&'a str>,
    order: Order,
    conditions: Vec<String>,
    bound: Vec<Bound>,
}

impl<'a> Select<'a> {
    fn new(
        scope: &SecretScope,
        prefix: &str,
        criteria: &'a Criteria,
        order: Order,
        after: Option<&After>,
        now: Timestamp,
    ) -> Self {
        let driver_tag = criteria.tags.first().map(String::as_str).filter(|_| order == Order::Path);
        let mut select = Self { driver_tag, order, conditions: Vec::new(), bound: Vec::new() };
        let key = select.key();
        let namespace = select.bind(Bound::Text(scope.namespace().to_owned()));
        select.conditions.push(format!("{}.namespace = {namespace}", if driver_tag.is_some() { "d" } else { "s" }));
        select.below(&key, prefix);
        match after {
            None => {}
            Some(After::Path(path)) => select.compare(&key, ">", Bound::Text(path.clone())),
            Some(After::Subtree(folder)) => {
                if let Some(end) = prefix_end(folder) {
                    select.compare(&key, ">=", Bound::Text(end));
                }
            }
            Some(After::TimeAndPath(time, path)) => select.beyond(*time, path),
        }
        select.criteria(criteria, now);
        select
    }

    fn key(&self) -> String {
        if self.driver_tag.is_some() { "d.path".to_owned() } else { "s.path".to_owned() }
    }

    fn below(&mut self, key: &str, prefix: &str) {
        if prefix.is_empty() {
            return;
        }
        self.compare(key, ">=", Bound::Text(prefix.to_owned()));
        if let Some(end) = prefix_end(prefix) {
            self.compare(key, "<", Bound::Text(end));
        }
    }

    fn beyond(&mut self, time: Timestamp, path: &str) {
        let (column, sign) = match self.order {
            Order::ExpiresAt => ("s.expires_at", ">"),
            Order::Path | Order::UpdatedAt => ("s.updated_at", "<"),
        };
        let time = self.bind(Bound::Int(time.as_micros()));
        let path = self.bind(Bound::Text(path.to_owned()));
        self.conditions.push(format!("({column} {sign} {time} OR ({column} = {time} AND s.path > {path}))"));
    }

    fn criteria(&mut self, criteria: &'a Criteria, now: Timestamp) {
        if let Some(tag) = self.driver_tag {
            let tag = self.bind(Bound::Text(tag.to_owned()));
            self.conditions.push(format!("d.tag = {tag}"));
        }
        for tag in criteria.tags.iter().skip(usize::from(self.driver_tag.is_some())) {
            let tag = self.bind(Bound::Text(tag.clone()));
            self.conditions.push(format!(
                "EXISTS (SELECT 1 FROM secret_tag t WHERE t.namespace = s.namespace AND t.tag = {tag} AND t.path = s.path)"
            ));
        }
        if let Some(secret_type) = criteria.secret_type {
            self.compare("s.secret_type", "=", Bound::Text(secret_type.as_str().to_owned()));
        }
        if let Some(owner) = &criteria.owner {
            self.compare("s.owner", "=", Bound::Text(owner.clone()));
        }
        if let Some(end) = criteria.expires_before {
            self.compare("s.expires_at", "<", Bound::Int(end.as_micros()));
        }
        if let Some(start) = criteria.updated_from {
            self.compare("s.updated_at", ">=", Bound::Int(start.as_micros()));
        }
        // Each is bound where it is named: PostgreSQL takes no value that its statement does not use.
        if !criteria.include_expired {
            let now = self.bind(Bound::Int(now.as_micros()));
            self.conditions.push(format!("(s.expires_at IS NULL OR s.expires_at > {now})"));
        }
        if criteria.include_deleted {
            let now = self.bind(Bound::Int(now.as_micros()));
            self.conditions.push(format!("(s.deleted_at IS NULL OR s.recoverable_until > {now})"));
        } else {
            self.conditions.push("s.deleted_at IS NULL".to_owned());
        }
        if self.order == Order::ExpiresAt {
            self.conditions.push("s.expires_at IS NOT NULL".to_owned());
        }
    }

    fn bind(&mut self, value: Bound) -> String {
        self.bound.push(value);
        format!("${}", self.bound.len())
    }

    fn compare(&mut self, column: &str, sign: &str, value: Bound) {
        let name = self.bind(value);
        self.conditions.push(format!("{column} {sign} {name}"));
    }

    fn text(&mut self, columns: &str, ordered: bool) -> String {
        let from = match self.driver_tag {
            Some(_) => "secret_tag d JOIN secret s ON s.namespace = d.namespace AND s.path = d.path",
            None => "secret s",
        };
        let order = match self.order {
            _ if !ordered => String::new(),
            Order::ExpiresAt => " ORDER BY s.expires_at, s.path".to_owned(),
            Order::Path => format!(" ORDER BY {}", self.key()),
            Order::UpdatedAt => " ORDER BY s.updated_at DESC, s.path".to_owned(),
        };
        format!("SELECT {columns} FROM {from} WHERE {}{order}", self.conditions.join(" AND "))
    }

    fn params(&self) -> Vec<Param<'_>> {
        self.bound
            .iter()
            .map(|value| match value {
                Bound::Int(number) => Param::Int(*number),
                Bound::Text(text) => Param::Text(text),
            })
            .collect()
    }
}
