//! Snapshots for those who only look.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::link::Link;
use super::shared::Shared;
use crate::error::{StoreError, StoreResult};
use crate::sql::Connection;
use crate::tx::SnapshotSource;

/// How long a look waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Places for connections; one that was lost is made anew when it is needed.
pub(super) struct Pool {
    free: Receiver<Option<Link>>,
    give_back: Sender<Option<Link>>,
    size: usize,
}

impl Pool {
    pub(super) fn new(size: usize) -> Self {
        let (give_back, free) = crossbeam_channel::bounded(size);
        for _ in 0..size {
            let _ = give_back.send(None);
        }
        Self { free, give_back, size }
    }

    /// (in all, free)
    pub(super) fn standing(&self) -> (usize, usize) {
        (self.size, self.free.len())
    }
}

/// A connection on loan; the read transaction begins with the first query.
pub(super) struct PooledSnapshot<'e> {
    pool: &'e Pool,
    shared: &'e Shared,
    /// Whether a place was taken.
    taken: bool,
    link: Option<Link>,
}

impl<'e> PooledSnapshot<'e> {
    pub(super) fn new(pool: &'e Pool, shared: &'e Shared) -> Self {
        Self { pool, shared, taken: false, link: None }
    }

    fn begin(&mut self) -> StoreResult<()> {
        let place = self.pool.free.recv_timeout(PATIENCE);
        let place = place.map_err(|_| StoreError::Unavailable("no read connection became free".to_owned()))?;
        self.taken = true;
        // An old connection may have been lost while nobody used it.
        if let Some(mut link) = place.filter(|link| !link.is_broken())
            && link.simple(BEGIN).is_ok()
        {
            self.link = Some(link);
            return Ok(());
        }
        let mut link = self.shared.connect()?;
        link.simple(BEGIN)?;
        self.link = Some(link);
        Ok(())
    }
}

impl SnapshotSource for PooledSnapshot<'_> {
    fn snapshot(&mut self) -> StoreResult<&mut dyn Connection> {
        if !self.taken {
            self.begin()?;
        }
        match &mut self.link {
            Some(link) => Ok(link),
            None => Err(StoreError::Unavailable("no read connection".to_owned())),
        }
    }
}

impl Drop for PooledSnapshot<'_> {
    fn drop(&mut self) {
        if self.taken {
            let ended = |link: &mut Link| !link.is_broken() && link.simple("ROLLBACK").is_ok();
            let link = self.link.take().and_then(|mut link| ended(&mut link).then_some(link));
            let _ = self.pool.give_back.send(link);
        }
    }
}
