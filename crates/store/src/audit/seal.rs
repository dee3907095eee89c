//! Where entries get their numbers: at the commit, in one go for all that commit together.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{ArcMutexGuard, Mutex, RawMutex};
use scaivault_domain::audit::AuditEntry;

use super::{COLUMNS, Pending, hash_of};
use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection, Param, json_text, params};

/// Chains whose ends are remembered; beyond it those that nobody uses are forgotten and read again when needed.
const REMEMBERED_HEADS: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Head {
    seq: i64,
    hash: [u8; 32],
}

/// `None`: to be read from the database.
type Known = Arc<Mutex<Option<Head>>>;

/// Writes the chains of one node.
///
/// The ends of the chains are in memory, and in `audit_head`, where moving one on names the number that it moves on from: whatever
/// goes wrong here, even two nodes of one name, no chain forks.
#[derive(Debug)]
pub(crate) struct ChainWriter {
    node: String,
    heads: Mutex<HashMap<String, Known>>,
}

/// Entries that are written but not committed. Holds the ends of their chains; dropped without [`Sealed::committed`], it has them
/// read from the database again.
pub(crate) struct Sealed {
    pub(crate) entries: Vec<AuditEntry>,
    held: Vec<(ArcMutexGuard<RawMutex, Option<Head>>, Head)>,
}

/// Where an entry stands, and its hash.
pub(crate) struct Witness {
    pub(crate) chain: super::Chain,
    pub(crate) seq: i64,
    pub(crate) hash: [u8; 32],
}

impl Sealed {
    /// The transaction is durable.
    pub(crate) fn committed(mut self) -> Vec<AuditEntry> {
        for (known, head) in &mut self.held {
            **known = Some(*head);
        }
        self.held.clear();
        std::mem::take(&mut self.entries)
    }

    /// What stands in the database exactly if the transaction was committed: its last entry.
    pub(crate) fn witness(&self) -> Option<Witness> {
        let entry = self.entries.last()?;
        self.held.last().map(|(_, head)| Witness { chain: super::Chain::of(entry), seq: head.seq, hash: head.hash })
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        for (known, _) in &mut self.held {
            **known = None;
        }
    }
}

impl ChainWriter {
    /// `node`: as entries name the chain; empty on the embedded store.
    pub(crate) fn new(node: &str) -> Self {
        Self { node: node.to_owned(), heads: Mutex::default() }
    }

    /// Numbers, chains and writes `pending`, the last thing before the commit.
    ///
    /// The ends are taken in the order of their streams, so that two transactions never wait for each other in a circle.
    pub(crate) fn seal(&self, connection: &mut dyn Connection, mut pending: Vec<Pending>) -> StoreResult<Sealed> {
        let mut sealed = Sealed { entries: Vec::with_capacity(pending.len()), held: Vec::new() };
        pending.sort_by(|a, b| a.stream.cmp(&b.stream));
        let mut rows = Vec::with_capacity(pending.len());
        for group in pending.chunk_by_mut(|a, b| a.stream == b.stream) {
            let Some(stream) = group.first().map(|first| first.stream.clone()) else { continue };
            let known = self.known(&stream).lock_arc();
            let begin = match *known {
                Some(head) => head,
                None => self.read_head(connection, &stream)?,
            };
            let mut head = begin;
            for one in group {
                rows.push(self.link(one, &mut head)?);
            }
            sealed.held.push((known, head));
            self.move_head(connection, &stream, begin, head)?;
        }
        insert(connection, &pending, &rows)?;
        sealed.entries.extend(pending.into_iter().map(|one| one.entry));
        Ok(sealed)
    }

    fn known(&self, stream: &str) -> Known {
        let mut heads = self.heads.lock();
        if let Some(known) = heads.get(stream) {
            return Arc::clone(known);
        }
        if heads.len() >= REMEMBERED_HEADS {
            heads.retain(|_, known| Arc::strong_count(known) > 1);
        }
        Arc::clone(heads.entry(stream.to_owned()).or_default())
    }

    fn link(&self, one: &mut Pending, head: &mut Head) -> StoreResult<Row> {
        let entry = &mut one.entry;
        let prev_hash = head.hash;
        entry.seq = head.seq.checked_add(1).ok_or_else(|| StoreError::corrupt("a chain is full"))?;
        entry.chain = Some(self.node.clone()).filter(|node| !node.is_empty());
        entry.prev_hash = hex::encode(prev_hash);
        let hash = entry.hash().map_err(StoreError::corrupt)?;
        *head = Head { seq: entry.seq, hash };
        Ok(Row { prev_hash, hash, extra: json_text(&entry.extra_data)? })
    }

    fn read_head(&self, connection: &mut dyn Connection, stream: &str) -> StoreResult<Head> {
        let mut found = Head { seq: 0, hash: [0; 32] };
        let newest = "SELECT seq, hash FROM audit_head WHERE stream = $1 AND chain = $2";
        connection.query(newest, params![stream, &self.node], &mut |row| {
            found = Head { seq: row.int(0)?, hash: hash_of(row, 1)? };
            Ok(false)
        })?;
        Ok(found)
    }

    fn move_head(&self, connection: &mut dyn Connection, stream: &str, from: Head, to: Head) -> StoreResult<()> {
        let moved = if from.seq == 0 {
            connection.execute(
                "INSERT INTO audit_head (stream, chain, seq, hash) VALUES ($1, $2, $3, $4) ON CONFLICT (stream, chain) DO NOTHING",
                params![stream, &self.node, to.seq, &to.hash],
            )?
        } else {
            connection.execute(
                "UPDATE audit_head SET seq = $3, hash = $4 WHERE stream = $1 AND chain = $2 AND seq = $5 AND hash = $6",
                params![stream, &self.node, to.seq, &to.hash, from.seq, &from.hash],
            )?
        };
        match moved {
            1 => Ok(()),
            _ => Err(StoreError::Conflict(
                "the end of an audit chain was moved by another node of the same id".to_owned(),
            )),
        }
    }
}

/// What a row holds beside the entry's own fields.
struct Row {
    prev_hash: [u8; 32],
    hash: [u8; 32],
    extra: String,
}

/// Columns of a row: the stream, and those of [`COLUMNS`].
const WIDTH: usize = 23;

fn insert(connection: &mut dyn Connection, pending: &[Pending], rows: &[Row]) -> StoreResult<()> {
    let mut values = Vec::with_capacity(rows.len().saturating_mul(WIDTH));
    for (one, row) in pending.iter().zip(rows) {
        values.extend_from_slice(&columns(one, row));
    }
    connection.insert_rows(&format!("INSERT INTO audit_entry (stream, {COLUMNS})"), WIDTH, &values)
}

fn columns<'a>(one: &'a Pending, row: &'a Row) -> [Param<'a>; WIDTH] {
    let entry = &one.entry;
    [
        (&one.stream).into(),
        entry.chain.as_deref().unwrap_or_default().into(),
        entry.seq.into(),
        (&entry.id).into(),
        one.at.into(),
        (&entry.action).into(),
        (&entry.identity_type).into(),
        (&entry.identity_id).into(),
        (&entry.secret_path).into(),
        (&entry.source_ip).into(),
        (&entry.user_agent).into(),
        entry.status_code.into(),
        (&entry.error_code).into(),
        entry.duration_ms.into(),
        (&entry.request_id).into(),
        (&row.extra).into(),
        (&entry.acting_partner_id).into(),
        (&entry.acting_tenant_id).into(),
        (&entry.target_tenant_id).into(),
        (&entry.resource_id).into(),
        (&entry.token_ref).into(),
        (&row.prev_hash).into(),
        (&row.hash).into(),
    ]
}
