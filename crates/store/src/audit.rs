//! The audit trail: append-only, in hash chains (contract 06 section 4).

use std::collections::BTreeMap;

use scaivault_domain::audit::AuditEntry;
pub use scaivault_domain::audit::INSTANCE_STREAM;
use scaivault_domain::time::Timestamp;

use self::condition::Condition;
pub use self::condition::EntryFilter;
pub use self::parts::{AuditPart, AuditParts};
use crate::error::{StoreError, StoreResult};
use crate::sql::{Database, Param, Row, params};
use crate::tx::WriteTx;

mod condition;
pub(crate) mod parts;
mod seal;

pub(crate) use seal::{ChainWriter, Sealed, Witness};

/// One chain of a stream: all of it on the embedded store, where the node has no name; one a node on PostgreSQL, so that nodes never
/// wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain {
    /// Tenant id, or [`INSTANCE_STREAM`].
    pub stream: String,
    /// The id of the node that writes it, or the empty text.
    pub node: String,
}

impl Chain {
    /// The chain of a stream on the embedded store.
    pub fn embedded(stream: &str) -> Self {
        Self { stream: stream.to_owned(), node: String::new() }
    }

    /// As entries and checkpoints name it.
    pub fn name(&self) -> Option<String> {
        Some(self.node.clone()).filter(|node| !node.is_empty())
    }

    /// The chain that an entry stands in.
    pub fn of(entry: &AuditEntry) -> Self {
        Self {
            stream: entry.tenant_id.clone().unwrap_or_else(|| INSTANCE_STREAM.to_owned()),
            node: entry.chain.clone().unwrap_or_default(),
        }
    }
}

/// One stored entry with its chain hash.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    pub at: Timestamp,
    pub entry: AuditEntry,
    pub hash: [u8; 32],
}

/// Has `entry` stand at the end of `stream` when the transaction commits. It is numbered and chained only then, so that the chain is
/// in the order of commits and nobody holds its end for longer than a commit takes.
///
/// # Errors
/// An entry without a canonical form: it could never be chained.
pub fn append(tx: &mut WriteTx<'_>, stream: &str, at: Timestamp, mut entry: AuditEntry) -> StoreResult<()> {
    entry.check().map_err(StoreError::corrupt)?;
    // What a client sent may hold a NUL, which PostgreSQL has no room for in a text.
    for text in client_texts(&mut entry).into_iter().flatten().filter(|text| text.contains('\0')) {
        *text = text.replace('\0', "\u{fffd}");
    }
    tx.entry(Pending { stream: stream.to_owned(), at, entry });
    Ok(())
}

fn client_texts(entry: &mut AuditEntry) -> [Option<&mut String>; 5] {
    [
        entry.identity_id.as_mut(),
        entry.resource_id.as_mut(),
        entry.secret_path.as_mut(),
        entry.target_tenant_id.as_mut(),
        entry.user_agent.as_mut(),
    ]
}

/// An entry that waits for the commit.
#[derive(Debug)]
pub(crate) struct Pending {
    stream: String,
    at: Timestamp,
    entry: AuditEntry,
}

const COLUMNS: &str = "chain, seq, id, at, action, identity_type, identity_id, secret_path, source_ip, user_agent, status_code, error_code, \
     duration_ms, request_id, extra_data, acting_partner_id, acting_tenant_id, target_tenant_id, resource_id, token_ref, prev_hash, hash";

/// Where the trail lies in parts by time, what retention cut is still there until its part is dropped. It is shown no more.
const NOT_CUT: &str = "NOT EXISTS (SELECT 1 FROM audit_anchor a
    WHERE a.stream = audit_entry.stream AND a.chain = audit_entry.chain AND a.seq >= audit_entry.seq)";

fn hash_of(row: &dyn Row, column: usize) -> StoreResult<[u8; 32]> {
    row.blob(column)?.try_into().map_err(|_| StoreError::corrupt("a chain hash has the wrong length"))
}

fn read(stream: &str, row: &dyn Row) -> StoreResult<StoredEntry> {
    let status_code = row.int(10)?;
    Ok(StoredEntry {
        at: row.time(3)?,
        entry: AuditEntry {
            seq: row.int(1)?,
            id: row.text(2)?,
            timestamp: row.time(3)?.to_rfc3339_micros(),
            action: row.text(4)?,
            identity_type: row.opt_text(5)?,
            identity_id: row.opt_text(6)?,
            secret_path: row.opt_text(7)?,
            source_ip: row.opt_text(8)?,
            user_agent: row.opt_text(9)?,
            status_code,
            success: status_code < 400,
            error_code: row.opt_text(11)?,
            duration_ms: row.int(12)?,
            request_id: row.text(13)?,
            extra_data: row.json::<BTreeMap<String, serde_json::Value>>(14)?,
            acting_partner_id: row.opt_text(15)?,
            acting_tenant_id: row.opt_text(16)?,
            target_tenant_id: row.opt_text(17)?,
            resource_id: row.opt_text(18)?,
            token_ref: row.opt_text(19)?,
            chain: Some(row.text(0)?).filter(|node| !node.is_empty()),
            prev_hash: hex::encode(row.blob(20)?),
            tenant_id: (stream != INSTANCE_STREAM).then(|| stream.to_owned()),
        },
        hash: hash_of(row, 21)?,
    })
}

/// Entries of one chain that pass `filter`, newest first, only those with a number below `before`.
pub fn query(
    db: &mut impl Database,
    chain: &Chain,
    filter: &EntryFilter,
    before: Option<i64>,
    limit: i64,
) -> StoreResult<Vec<StoredEntry>> {
    let mut condition = Condition::of(&chain.stream, filter);
    let node = condition.bind(Param::Text(&chain.node));
    // One comparison of keys, where `NOT_CUT` would be a look-up for each entry.
    condition.text.push_str(&format!(
        " AND chain = {node}
          AND seq > COALESCE((SELECT a.seq FROM audit_anchor a WHERE a.stream = $1 AND a.chain = {node}), 0)"
    ));
    if let Some(before) = before {
        condition.and("seq < ", Param::Int(before));
    }
    let limit = condition.bind(Param::Int(limit));
    let sql = format!("SELECT {COLUMNS} FROM audit_entry WHERE {} ORDER BY seq DESC LIMIT {limit}", condition.text);
    db.all(&sql, &condition.params, |row| read(&chain.stream, row))
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
        "SELECT COUNT(*), COUNT(CASE WHEN status_code < 400 THEN 1 END), COUNT(CASE WHEN status_code = 403 THEN 1 END),
           COUNT(DISTINCT identity_id), COUNT(DISTINCT secret_path), MIN(at), MAX(at)
         FROM audit_entry WHERE {} AND {NOT_CUT}",
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
        "SELECT action, COUNT(*), COUNT(CASE WHEN status_code < 400 THEN 1 END), MAX(CASE WHEN status_code < 400 THEN at END)
         FROM audit_entry WHERE {} AND {NOT_CUT} GROUP BY action ORDER BY action",
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
    chain: &Chain,
    from: i64,
    to: i64,
    limit: i64,
    mut each: impl FnMut(i64, StoreResult<StoredEntry>) -> StoreResult<bool>,
) -> StoreResult<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entry WHERE stream = $1 AND chain = $2 AND seq >= $3 AND seq <= $4 ORDER BY seq LIMIT $5"
    );
    db.connection()?.query(&sql, params![&chain.stream, &chain.node, from, to, limit], &mut |row| {
        let entry = read(&chain.stream, row).and_then(|stored| {
            if crate::sql::json_text(&stored.entry.extra_data)? == row.text(14)? {
                Ok(stored)
            } else {
                Err(StoreError::corrupt("extra_data is not as it was written"))
            }
        });
        each(row.int(1)?, entry)
    })
}

fn read_chain(row: &dyn Row) -> StoreResult<Chain> {
    Ok(Chain { stream: row.text(0)?, node: row.text(1)? })
}

/// Every chain that anything was ever written to, by stream and node.
pub fn chains(db: &mut impl Database) -> StoreResult<Vec<Chain>> {
    db.all("SELECT stream, chain FROM audit_head ORDER BY stream, chain", &[], read_chain)
}

/// The chains of one stream, by node.
pub fn chains_of(db: &mut impl Database, stream: &str) -> StoreResult<Vec<Chain>> {
    db.all("SELECT stream, chain FROM audit_head WHERE stream = $1 ORDER BY chain", params![stream], read_chain)
}

/// The next chain, by stream and node, that anything is left of: entries, a checkpoint, an anchor or its head. A trail whose entries
/// are all gone is found by what was signed of it.
pub fn next_trace(db: &mut impl Database, after: Option<&Chain>) -> StoreResult<Option<Chain>> {
    let (stream, node) = after.map_or(("", ""), |chain| (chain.stream.as_str(), chain.node.as_str()));
    let mut next: Option<Chain> = None;
    for table in ["audit_entry", "audit_checkpoint", "audit_anchor", "audit_head"] {
        // In two steps, each a seek in the key: the rest of this stream, then the next one.
        for condition in ["stream = $1 AND chain > $2", "stream > $1 AND chain >= ''"] {
            let sql = format!("SELECT stream, chain FROM {table} WHERE {condition} ORDER BY stream, chain LIMIT 1");
            let params = params![stream, node];
            let given = if condition.contains("$2") { params } else { params.get(..1).unwrap_or_default() };
            if let Some(found) = db.first(&sql, given, read_chain)? {
                next = Some(match next {
                    Some(next) => next.min(found),
                    None => found,
                });
                break;
            }
        }
    }
    Ok(next)
}

/// The last number given out in a chain that is still there, 0 without any.
pub fn last_seq(db: &mut impl Database, chain: &Chain) -> StoreResult<i64> {
    Ok(newest(db, chain)?.map_or(0, |(seq, _)| seq))
}

/// Number and hash of the newest entry of a chain.
pub fn newest(db: &mut impl Database, chain: &Chain) -> StoreResult<Option<(i64, [u8; 32])>> {
    db.first(
        "SELECT seq, hash FROM audit_entry WHERE stream = $1 AND chain = $2 ORDER BY seq DESC LIMIT 1",
        params![&chain.stream, &chain.node],
        |row| Ok((row.int(0)?, hash_of(row, 1)?)),
    )
}

/// The number of the oldest entry that is still there.
pub fn oldest(db: &mut impl Database, chain: &Chain) -> StoreResult<Option<i64>> {
    db.first(
        "SELECT seq FROM audit_entry WHERE stream = $1 AND chain = $2 ORDER BY seq LIMIT 1",
        params![&chain.stream, &chain.node],
        |row| row.int(0),
    )
}

/// The stored hash of one entry.
pub fn hash_at(db: &mut impl Database, chain: &Chain, seq: i64) -> StoreResult<Option<[u8; 32]>> {
    db.first(
        "SELECT hash FROM audit_entry WHERE stream = $1 AND chain = $2 AND seq = $3",
        params![&chain.stream, &chain.node, seq],
        |row| hash_of(row, 0),
    )
}

/// The first entry, in order of numbers, of `at` or later: what retention has to keep, and all behind it. Looking from the
/// old end, not for the newest old entry: a clock that once stood in the past must not cost everything before it.
pub fn first_since(db: &mut impl Database, chain: &Chain, at: Timestamp) -> StoreResult<Option<i64>> {
    db.first(
        "SELECT seq FROM audit_entry WHERE stream = $1 AND chain = $2 AND at >= $3 ORDER BY seq LIMIT 1",
        params![&chain.stream, &chain.node, at],
        |row| row.int(0),
    )
}

/// The last entry, in order of numbers, from before `at`.
pub fn last_before(db: &mut impl Database, chain: &Chain, at: Timestamp) -> StoreResult<Option<i64>> {
    db.first(
        "SELECT seq FROM audit_entry WHERE stream = $1 AND chain = $2 AND at < $3 ORDER BY seq DESC LIMIT 1",
        params![&chain.stream, &chain.node, at],
        |row| row.int(0),
    )
}

/// Retention: removes entries up to `seq`. The caller has stored the anchor in the same transaction.
pub fn cut(tx: &mut WriteTx<'_>, chain: &Chain, seq: i64) -> StoreResult<u64> {
    tx.connection()?.execute(
        "DELETE FROM audit_entry WHERE stream = $1 AND chain = $2 AND seq <= $3",
        params![&chain.stream, &chain.node, seq],
    )
}
