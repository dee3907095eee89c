//! Snapshots for those who only look.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::link::Link;
use super::shared::Shared;
use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection, Param, Row};
use crate::tx::SnapshotSource;

/// How long a look waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Places for connections; one that was lost is made anew when it is needed. The one given back last is taken first: it knows the
/// statements.
pub(super) struct Pool {
    free: Mutex<Vec<Option<Link>>>,
    given_back: Condvar,
    size: usize,
}

impl Pool {
    pub(super) fn new(size: usize) -> Self {
        let free = (0..size).map(|_| None).collect();
        Self { free: Mutex::new(free), given_back: Condvar::new(), size }
    }

    /// (in all, free)
    pub(super) fn standing(&self) -> (usize, usize) {
        (self.size, self.free.lock().len())
    }

    fn take(&self) -> Option<Option<Link>> {
        let until = Instant::now() + PATIENCE;
        let mut free = self.free.lock();
        while free.is_empty() {
            if self.given_back.wait_until(&mut free, until).timed_out() {
                break;
            }
        }
        free.pop()
    }

    fn give_back(&self, place: Option<Link>) {
        self.free.lock().push(place);
        self.given_back.notify_one();
    }
}

/// A connection on loan; the read transaction begins with the first query.
pub(super) struct PooledSnapshot<'e> {
    pool: &'e Pool,
    shared: &'e Shared,
    /// Whether a place was taken.
    taken: bool,
    link: Option<Link>,
    /// Nothing was seen of the snapshot yet.
    fresh: bool,
}

impl<'e> PooledSnapshot<'e> {
    pub(super) fn new(pool: &'e Pool, shared: &'e Shared) -> Self {
        Self { pool, shared, taken: false, link: None, fresh: true }
    }

    fn take(&mut self) -> StoreResult<()> {
        let place = self.pool.take();
        let place = place.ok_or_else(|| StoreError::Unavailable("no read connection became free".to_owned()))?;
        self.taken = true;
        self.link = place;
        // It may have been lost while nobody used it.
        if !self.link.as_mut().is_some_and(Link::stands) {
            self.link = None;
            self.link = Some(self.shared.connect()?);
        }
        self.begin();
        Ok(())
    }

    fn begin(&mut self) {
        if let Some(link) = &mut self.link {
            link.begin_with_next(BEGIN);
        }
    }

    fn link(&mut self) -> StoreResult<&mut Link> {
        self.link.as_mut().ok_or_else(|| StoreError::Unavailable("no read connection".to_owned()))
    }
}

impl SnapshotSource for PooledSnapshot<'_> {
    fn snapshot(&mut self) -> StoreResult<&mut dyn Connection> {
        if !self.taken {
            self.take()?;
        }
        Ok(self)
    }
}

/// The first query may find that the connection is gone; then there is nothing to lose by another one.
impl Connection for PooledSnapshot<'_> {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
        self.fresh = false;
        self.link()?.execute(sql, params)
    }

    fn query(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>,
    ) -> StoreResult<()> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut seen = false;
        let mut once = |row: &dyn Row| {
            seen = true;
            each(row)
        };
        let answer = self.link()?.query(sql, params, &mut once);
        if answer.is_err() && fresh && !seen && self.link()?.is_broken() {
            self.link = None;
            self.link = Some(self.shared.connect()?);
            self.begin();
            return self.link()?.query(sql, params, each);
        }
        answer
    }

    fn batch(&mut self, sql: &str) -> StoreResult<()> {
        self.fresh = false;
        self.link()?.batch(sql)
    }
}

impl Drop for PooledSnapshot<'_> {
    fn drop(&mut self) {
        if self.taken {
            let mut link = self.link.take().filter(|link| !link.is_broken());
            if let Some(link) = &mut link {
                link.end_unheard("ROLLBACK");
            }
            self.pool.give_back(link);
        }
    }
}
