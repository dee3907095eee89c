//! Who writes when, on this node: a transaction a lane at a time, and all that waits in a lane goes into the next one.

use std::collections::{HashMap, HashSet, VecDeque};

use parking_lot::{Condvar, Mutex};

use crate::error::{StoreError, StoreResult};
use crate::lane::Lane;
use crate::store::WriteJob;

/// Writes that may wait on a node. Beyond it callers get 503 at once instead of a queue without end.
const QUEUE_LIMIT: usize = 16_384;
/// Writes of one transaction at most.
const GROUP_LIMIT: usize = 256;

type Job = Box<dyn WriteJob>;

/// Two queues of lanes: those that exclude others, and [`Lane::Beside`], whose writer never waits for them.
#[derive(Default)]
pub(super) struct Lanes {
    state: Mutex<State>,
    some: Condvar,
    beside: Condvar,
}

#[derive(Default)]
struct State {
    queues: HashMap<Lane, VecDeque<Job>>,
    running: HashSet<Lane>,
    ready: VecDeque<Lane>,
    beside: VecDeque<Job>,
    waiting: usize,
    closed: bool,
}

impl Lanes {
    pub(super) fn submit(&self, lane: Lane, job: Job) -> StoreResult<()> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(StoreError::Closed);
        }
        if state.waiting >= QUEUE_LIMIT {
            return Err(StoreError::Unavailable("too many writes are waiting".to_owned()));
        }
        state.waiting += 1;
        if lane == Lane::Beside {
            state.beside.push_back(job);
            self.beside.notify_one();
            return Ok(());
        }
        let queue = state.queues.entry(lane.clone()).or_default();
        queue.push_back(job);
        if queue.len() == 1 && !state.running.contains(&lane) {
            state.ready.push_back(lane);
            self.some.notify_one();
        }
        Ok(())
    }

    /// The next group of a lane that nobody works on; blocks. `None` when the lanes are closed and empty.
    pub(super) fn next(&self) -> Option<(Lane, Vec<Job>)> {
        let mut state = self.state.lock();
        loop {
            if let Some(lane) = state.ready.pop_front() {
                state.running.insert(lane.clone());
                let queue = state.queues.entry(lane.clone()).or_default();
                let group: Vec<Job> = queue.drain(..queue.len().min(GROUP_LIMIT)).collect();
                state.waiting -= group.len();
                return Some((lane, group));
            }
            if state.closed && state.running.is_empty() {
                self.some.notify_all();
                return None;
            }
            self.some.wait(&mut state);
        }
    }

    /// The transaction of a lane is over.
    pub(super) fn done(&self, lane: &Lane) {
        let mut state = self.state.lock();
        state.running.remove(lane);
        if state.queues.get(lane).is_some_and(|queue| !queue.is_empty()) {
            state.ready.push_back(lane.clone());
        } else {
            state.queues.remove(lane);
        }
        self.some.notify_one();
    }

    /// The next group of what excludes nobody.
    pub(super) fn next_beside(&self) -> Option<(Lane, Vec<Job>)> {
        let mut state = self.state.lock();
        loop {
            if !state.beside.is_empty() {
                let size = state.beside.len().min(GROUP_LIMIT);
                let group: Vec<Job> = state.beside.drain(..size).collect();
                state.waiting -= group.len();
                return Some((Lane::Beside, group));
            }
            if state.closed {
                return None;
            }
            self.beside.wait(&mut state);
        }
    }

    /// Takes no more; what waits is still done.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.some.notify_all();
        self.beside.notify_all();
    }
}
