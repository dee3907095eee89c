//! The audit trail: append-only, one hash chain a stream (contract 06 section 4).

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use scaivault_domain::audit::AuditEntry;
pub use scaivault_domain::audit::INSTANCE_STREAM;
use scaivault_domain::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Param, Row, params};
use crate::tx::WriteTx;

/// Streams the writer remembers the ends of; beyond it all are forgotten and read again when needed.
const REMEMBERED_HEADS: usize = 4096;

/// The ends of the chains, as the writer last left them. Lost on any failure, and then read from the database again.
#[derive(Debug, Default)]
pub struct ChainHeads {
    heads: HashMap<String, Head>,
    appended: u64,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    seq: i64,
    hash: [u8; 32],
}

impl ChainHeads {
    pub(crate) fn appended(&self) -> u64 {
        self.appended
    }

    pub(crate) fn forget(&mut self) {
        self.heads.clear();
    }
}

/// One stored entry with its chain hash.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    pub entry: AuditEntry,
    pub hash: [u8; 32],
}

/// Built once: every request runs it.
static APPEND: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO audit_entry (stream, {COLUMNS})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)"
    )
});

/// Appends `entry` at the end of `stream`: gives it its number, the hash of its predecessor and its own.
pub fn append(tx: &mut WriteTx<'_>, stream: &str, at: Timestamp, entry: &mut AuditEntry) -> StoreResult<()> {
    let head = match tx.heads().heads.get(stream) {
        Some(head) => *head,
        None => read_head(tx, stream)?,
    };
    entry.seq = head.seq + 1;
    entry.prev_hash = hex::encode(head.hash);
    let hash = entry.hash().map_err(StoreError::corrupt)?;
    let extra = crate::sql::json_text(&entry.extra_data)?;
    tx.connection()?.execute(
        &APPEND,
        params![
            stream,
            entry.seq,
            &entry.id,
            at,
            &entry.action,
            &entry.identity_type,
            &entry.identity_id,
            &entry.secret_path,
            &entry.source_ip,
            &entry.user_agent,
            entry.status_code,
            &entry.error_code,
            entry.duration_ms,
            &entry.request_id,
            &extra,
            &entry.acting_partner_id,
            &entry.acting_tenant_id,
            &entry.target_tenant_id,
            &entry.resource_id,
            &entry.token_ref,
            &head.hash,
            &hash,
        ],
    )?;
    let heads = tx.heads();
    if heads.heads.len() >= REMEMBERED_HEADS {
        heads.heads.clear();
    }
    heads.heads.insert(stream.to_owned(), Head { seq: entry.seq, hash });
    heads.appended = heads.appended.wrapping_add(1);
    Ok(())
}

fn read_head(tx: &mut WriteTx<'_>, stream: &str) -> StoreResult<Head> {
    let newest = |row: &dyn Row| Ok(Head { seq: row.int(0)?, hash: hash_of(row, 1)? });
    if let Some(head) = tx.first(
        "SELECT seq, hash FROM audit_entry WHERE stream = $1 ORDER BY seq DESC LIMIT 1",
        params![stream],
        newest,
    )? {
        return Ok(head);
    }
    // Retention may have taken every entry; the chain goes on behind its anchor.
    let anchor = tx.first("SELECT seq, hash FROM audit_anchor WHERE stream = $1", params![stream], newest)?;
    Ok(anchor.unwrap_or(Head { seq: 0, hash: [0; 32] }))
}

const COLUMNS: &str = "seq, id, at, action, identity_type, identity_id, secret_path, source_ip, user_agent, status_code, error_code, \
     duration_ms, request_id, extra_data, acting_partner_id, acting_tenant_id, target_tenant_id, resource_id, token_ref, prev_hash, hash";

fn hash_of(row: &dyn Row, column: usize) -> StoreResult<[u8; 32]> {
    row.blob(column)?.try_into().map_err(|_| StoreError::corrupt("a chain hash has the wrong length"))
}

fn read(stream: &str, row: &dyn Row) -> StoreResult<StoredEntry> {
    let status_code = row.int(9)?;
    Ok(StoredEntry {
        entry: AuditEntry {
            seq: row.int(0)?,
            id: row.text(1)?,
            timestamp: row.time(2)?.to_rfc3339_micros(),
            action: row.text(3)?,
            identity_type: row.opt_text(4)?,
            identity_id: row.opt_text(5)?,
            secret_path: row.opt_text(6)?,
            source_ip: row.opt_text(7)?,
            user_agent: row.opt_text(8)?,
            status_code,
            success: status_code < 400,
            error_code: row.opt_text(10)?,
            duration_ms: row.int(11)?,
            request_id: row.text(12)?,
            extra_data: row.json::<BTreeMap<String, serde_json::Value>>(13)?,
            acting_partner_id: row.opt_text(14)?,
            acting_tenant_id: row.opt_text(15)?,
            target_tenant_id: row.opt_text(16)?,
            resource_id: row.opt_text(17)?,
            token_ref: row.opt_text(18)?,
            prev_hash: hex::encode(row.blob(19)?),
            tenant_id: (stream != INSTANCE_STREAM).then(|| stream.to_owned()),
        },
        hash: hash_of(row, 20)?,
    })
}

/// Which entries a query wants. Absent filters want all.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
    pub actions: Vec<String>,
    pub identity_id: Option<String>,
    pub identity_type: Option<String>,
    pub path: Option<String>,
    pub path_prefix: Option<String>,
    pub success: Option<bool>,
    pub source_ip: Option<String>,
    pub request_id: Option<String>,
}

/// Entries of `stream` that pass `filter`, newest first, only those with a `seq` below `before`.
pub fn query(
    db: &mut impl Database,
    stream: &str,
    filter: &EntryFilter,
    before: Option<i64>,
    limit: i64,
) -> StoreResult<Vec<StoredEntry>> {
    let mut condition = Condition::of(stream, filter);
    if let Some(before) = before {
        condition.and("seq < ", Param::Int(before));
    }
    let limit = condition.bind(Param::Int(limit));
    let sql = format!("SELECT {COLUMNS} FROM audit_entry WHERE {} ORDER BY seq DESC LIMIT {limit}", condition.text);
    db.all(&sql, &condition.params, |row| read(stream, row))
}

/// Figures over the entries that pass `filter`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub events: i64,
    pub successful: i64,
    pub denied: i64,
    pub unique_identities: i64,
    pub unique_paths: i64,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
}

pub fn totals(db: &mut impl Database, stream: &str, filter: &EntryFilter) -> StoreResult<Totals> {
    let condition = Condition::of(stream, filter);
    let sql = format!(
        "SELECT COUNT(*), SUM(CASE WHEN status_code < 400 THEN 1 ELSE 0 END), SUM(CASE WHEN status_code = 403 THEN 1 ELSE 0 END),
           COUNT(DISTINCT identity_id), COUNT(DISTINCT secret_path), MIN(at), MAX(at)
         FROM audit_entry WHERE {}",
        condition.text
    );
    let found = db.first(&sql, &condition.params, |row| {
        Ok(Totals {
            events: row.int(0)?,
            successful: row.opt_int(1)?.unwrap_or(0),
            denied: row.opt_int(2)?.unwrap_or(0),
            unique_identities: row.int(3)?,
            unique_paths: row.int(4)?,
            first_at: row.opt_time(5)?,
            last_at: row.opt_time(6)?,
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Figures over the entries of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionTotals {
    pub action: String,
    pub events: i64,
    pub successful: i64,
    pub last_success_at: Option<Timestamp>,
}

pub fn by_action(db: &mut impl Database, stream: &str, filter: &EntryFilter) -> StoreResult<Vec<ActionTotals>> {
    let condition = Condition::of(stream, filter);
    let sql = format!(
        "SELECT action, COUNT(*), SUM(CASE WHEN status_code < 400 THEN 1 ELSE 0 END), MAX(CASE WHEN status_code < 400 THEN at END)
         FROM audit_entry WHERE {} GROUP BY action ORDER BY action",
        condition.text
    );
    db.all(&sql, &condition.params, |row| {
        Ok(ActionTotals {
            action: row.text(0)?,
            events: row.int(1)?,
            successful: row.opt_int(2)?.unwrap_or(0),
            last_success_at: row.opt_time(3)?,
        })
    })
}

/// Hands over at most `limit` entries of `from..=to` in order, each with its number, until `each` answers `false`.
///
/// An entry that can't be read as it was written is handed over as an error and does not end the walk: to the one who
/// verifies a chain it is a finding. The text of `extra_data` counts to the byte, as every other column does.
pub fn walk(
    db: &mut impl Database,
    stream: &str,
    from: i64,
    to: i64,
    limit: i64,
    mut each: impl FnMut(i64, StoreResult<StoredEntry>) -> StoreResult<bool>,
) -> StoreResult<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entry WHERE stream = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq LIMIT $4"
    );
    db.connection()?.query(&sql, params![stream, from, to, limit], &mut |row| {
        let entry = read(stream, row).and_then(|stored| {
            if crate::sql::json_text(&stored.entry.extra_data)? == row.text(13)? {
                Ok(stored)
            } else {
                Err(StoreError::corrupt("extra_data is not as it was written"))
            }
        });
        each(row.int(0)?, entry)
    })
}

/// Every stream that has entries. One seek a stream: the table is ordered by stream.
pub fn streams(db: &mut impl Database) -> StoreResult<Vec<String>> {
    let mut streams: Vec<String> = Vec::new();
    loop {
        let last = streams.last().map_or("", String::as_str);
        let next =
            db.first("SELECT MIN(stream) FROM audit_entry WHERE stream > $1", params![last], |row| row.opt_text(0))?;
        match next.flatten() {
            Some(stream) => streams.push(stream),
            None => return Ok(streams),
        }
    }
}

/// The next stream by name that anything is left of: entries, a checkpoint or an anchor. A trail whose entries are all gone
/// is found by what was signed of it.
pub fn next_trace(db: &mut impl Database, after: &str) -> StoreResult<Option<String>> {
    let mut next: Option<String> = None;
    for table in ["audit_entry", "audit_checkpoint", "audit_anchor"] {
        let sql = format!("SELECT MIN(stream) FROM {table} WHERE stream > $1");
        let found = db.first(&sql, params![after], |row| row.opt_text(0))?.flatten();
        next = match (next, found) {
            (Some(next), Some(found)) => Some(next.min(found)),
            (next, found) => next.or(found),
        };
    }
    Ok(next)
}

/// The last number given out in a stream, 0 before the first.
pub fn last_seq(db: &mut impl Database, stream: &str) -> StoreResult<i64> {
    db.number("SELECT MAX(seq) FROM audit_entry WHERE stream = $1", params![stream])
}

/// Number and hash of the newest entry of a stream.
pub fn newest(db: &mut impl Database, stream: &str) -> StoreResult<Option<(i64, [u8; 32])>> {
    db.first("SELECT seq, hash FROM audit_entry WHERE stream = $1 ORDER BY seq DESC LIMIT 1", params![stream], |row| {
        Ok((row.int(0)?, hash_of(row, 1)?))
    })
}

/// The number of the oldest entry that is still there.
pub fn oldest(db: &mut impl Database, stream: &str) -> StoreResult<Option<i64>> {
    db.first("SELECT MIN(seq) FROM audit_entry WHERE stream = $1", params![stream], |row| row.opt_int(0))
        .map(Option::flatten)
}

/// The stored hash of one entry.
pub fn hash_at(db: &mut impl Database, stream: &str, seq: i64) -> StoreResult<Option<[u8; 32]>> {
    db.first("SELECT hash FROM audit_entry WHERE stream = $1 AND seq = $2", params![stream, seq], |row| hash_of(row, 0))
}

/// The first entry, in order of numbers, of `at` or later: what retention has to keep, and all behind it. Looking from the
/// old end, not for the newest old entry: a clock that once stood in the past must not cost everything before it.
pub fn first_since(db: &mut impl Database, stream: &str, at: Timestamp) -> StoreResult<Option<i64>> {
    db.first(
        "SELECT seq FROM audit_entry WHERE stream = $1 AND at >= $2 ORDER BY seq LIMIT 1",
        params![stream, at],
        |row| row.int(0),
    )
}

/// Retention: removes entries up to `seq`. The caller has stored the anchor in the same transaction.
pub fn cut(tx: &mut WriteTx<'_>, stream: &str, seq: i64) -> StoreResult<u64> {
    tx.connection()?.execute("DELETE FROM audit_entry WHERE stream = $1 AND seq <= $2", params![stream, seq])
}

struct Condition<'a> {
    text: String,
    params: Vec<Param<'a>>,
}

impl<'a> Condition<'a> {
    fn of(stream: &'a str, filter: &'a EntryFilter) -> Self {
        let mut condition = Self { text: "stream = $1".to_owned(), params: vec![Param::Text(stream)] };
        if let Some(from) = filter.from {
            condition.and("at >= ", from.into());
        }
        if let Some(to) = filter.to {
            condition.and("at < ", to.into());
        }
        if !filter.actions.is_empty() {
            let names: Vec<String> = filter.actions.iter().map(|action| condition.bind(Param::Text(action))).collect();
            condition.text.push_str(&format!(" AND action IN ({})", names.join(", ")));
        }
        let exact = [
            ("identity_id = ", &filter.identity_id),
            ("identity_type = ", &filter.identity_type),
            ("secret_path = ", &filter.path),
            ("source_ip = ", &filter.source_ip),
            ("request_id = ", &filter.request_id),
        ];
        for (column, wanted) in exact {
            if let Some(wanted) = wanted {
                condition.and(column, Param::Text(wanted));
            }
        }
        if let Some(prefix) = filter.path_prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            condition.and("secret_path >= ", Param::Text(prefix));
            condition.and(&format!("substr(secret_path, 1, {}) = ", prefix.len()), Param::Text(prefix));
        }
        match filter.success {
            Some(true) => condition.text.push_str(" AND status_code < 400"),
            Some(false) => condition.text.push_str(" AND status_code >= 400"),
            None => {}
        }
        condition
    }

    fn bind(&mut self, param: Param<'a>) -> String {
        self.params.push(param);
        format!("${}", self.params.len())
    }

    fn and(&mut self, comparison: &str, param: Param<'a>) {
        let name = self.bind(param);
        self.text.push_str(" AND ");
        self.text.push_str(comparison);
        self.text.push_str(&name);
    }
}
