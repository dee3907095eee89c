//! A node enters its name: the chains that it writes bear it.

use super::link::Link;
use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection as _, params};

/// A node that was not seen for this long left its name to others, in microseconds.
pub(super) const GONE_MICROS: i64 = 60 * 1_000_000;
/// Ids of the nodes at work; $1 = [`GONE_MICROS`].
pub(super) const LIVING: &str =
    concat!("SELECT id FROM node WHERE ended_at IS NULL AND seen_at > ", clock!(), " - $1 ORDER BY id");

/// Takes `wanted`, or the first `node-<number>` that nobody has. The caller holds the lock under which nodes start.
///
/// Two nodes of one name are a mistake that costs speed and breaks nothing: no chain forks, see `audit/seal.rs`.
pub(super) fn enter(link: &mut Link, wanted: Option<&str>, incarnation: &str, version: &str) -> StoreResult<String> {
    let mut taken = Vec::new();
    link.query(LIVING, params![GONE_MICROS], &mut |row| {
        taken.push(row.text(0)?);
        Ok(true)
    })?;
    let id = match wanted {
        Some(id) => id.to_owned(),
        None => (1..=taken.len() + 1)
            .map(|number| format!("node-{number}"))
            .find(|id| !taken.contains(id))
            .ok_or_else(|| StoreError::corrupt("no name is free"))?,
    };
    link.execute(
        concat!(
            "INSERT INTO node (id, incarnation, program_version, started_at, seen_at)
         SELECT $1, $2, $3, n.now, n.now FROM (SELECT ",
            clock!(),
            " AS now) n
         ON CONFLICT (id) DO UPDATE SET incarnation = excluded.incarnation, program_version = excluded.program_version,
           started_at = excluded.started_at, seen_at = excluded.seen_at, ended_at = NULL"
        ),
        params![&id, incarnation, version],
    )?;
    Ok(id)
}

/// Leaves the name to whoever starts next.
pub(super) fn leave(link: &mut Link, id: &str, incarnation: &str) -> StoreResult<()> {
    link.execute(
        concat!("UPDATE node SET ended_at = ", clock!(), " WHERE id = $1 AND incarnation = $2"),
        params![id, incarnation],
    )?;
    Ok(())
}
