//! Caches that never serve what a commit has replaced.
//!
//! The danger of a cache beside a database is the loader that read before a commit and inserts after it. Both caches here count
//! invalidations; a loaded value is kept only if nothing was invalidated since before its snapshot began.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use scaivault_store::Store;
use scaivault_store::secret::SecretRecord;
use scaivault_store::secret_version::{SealedValue, VersionRecord};

/// A small cache that is dropped whole when anything it rests on changes.
///
/// Both caches are empty to whoever asks while this node is not sure to hear of what others change.
pub(crate) struct GenerationCache<K, V> {
    store: Store,
    state: RwLock<Entries<K, V>>,
    capacity: usize,
}

struct Entries<K, V> {
    generation: u64,
    map: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> GenerationCache<K, V> {
    pub(crate) fn new(store: &Store, capacity: usize) -> Self {
        Self { store: store.clone(), state: RwLock::new(Entries { generation: 0, map: HashMap::new() }), capacity }
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if self.store.memory_holds() { self.state.read().map.get(key).cloned() } else { None }
    }

    /// Answers the cached value, or the one `load` reads from a snapshot of its own, begun after this call.
    pub(crate) fn get_or_load<E>(&self, key: K, load: impl FnOnce(&K) -> Result<V, E>) -> Result<V, E> {
        let generation = {
            let state = self.state.read();
            if let Some(value) = state.map.get(&key)
                && self.store.memory_holds()
            {
                return Ok(value.clone());
            }
            state.generation
        };
        let value = load(&key)?;
        self.keep(generation, key, value.clone());
        Ok(value)
    }

    /// Changes whenever something is dropped.
    pub(crate) fn generation(&self) -> u64 {
        self.state.read().generation
    }

    /// Keeps what was read from a snapshot that began after `generation` was asked for.
    pub(crate) fn keep(&self, generation: u64, key: K, value: V) {
        let mut state = self.state.write();
        if state.generation == generation {
            // A full cache starts over: cheaper than an order of use, and it fills again within as many requests.
            if state.map.len() >= self.capacity {
                state.map.clear();
            }
            state.map.insert(key, value);
        }
    }

    pub(crate) fn clear(&self) {
        let mut state = self.state.write();
        state.generation = state.generation.wrapping_add(1);
        state.map.clear();
    }
}

/// A secret's current version as it lies in the database: sealed.
#[derive(Debug)]
pub(crate) struct CachedSecret {
    pub(crate) record: SecretRecord,
    pub(crate) version: VersionRecord,
    pub(crate) value: SealedValue,
}

type Place = (String, String);

#[derive(Clone)]
struct BySize;

impl Weighter<Place, Arc<CachedSecret>> for BySize {
    fn weight(&self, key: &Place, secret: &Arc<CachedSecret>) -> u64 {
        // The fixed part is what the record's own strings and the map's slot cost, measured roughly.
        (key.0.len() + 2 * key.1.len() + secret.value.ciphertext.len() + secret.value.data_key.len() + 600) as u64
    }
}

/// Current versions by namespace and path: ciphertext only, bounded in bytes.
pub(crate) struct SecretCache {
    store: Store,
    entries: Cache<Place, Arc<CachedSecret>, BySize>,
    invalidations: AtomicU64,
    /// Orders insertions and invalidations; hits never take it.
    turn: Mutex<()>,
}

/// Memory the ciphertext cache may take.
const CACHE_BYTES: u64 = 48 * 1024 * 1024;
const EXPECTED_ENTRIES: usize = 50_000;

/// Taken before a snapshot begins; lets [`SecretCache::insert`] tell whether the snapshot is still good.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl SecretCache {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            entries: Cache::with_weighter(EXPECTED_ENTRIES, CACHE_BYTES, BySize),
            invalidations: AtomicU64::new(0),
            turn: Mutex::new(()),
        }
    }

    pub(crate) fn get(&self, namespace: &str, path: &str) -> Option<Arc<CachedSecret>> {
        if self.store.memory_holds() { self.entries.get(&(namespace.to_owned(), path.to_owned())) } else { None }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.invalidations.load(Ordering::Acquire))
    }

    pub(crate) fn insert(&self, ticket: Ticket, namespace: &str, secret: Arc<CachedSecret>) {
        let _turn = self.turn.lock();
        if self.invalidations.load(Ordering::Acquire) == ticket.0 {
            let place = (namespace.to_owned(), secret.record.path.clone());
            self.entries.insert(place, secret);
        }
    }

    pub(crate) fn invalidate(&self, namespace: &str, path: &str) {
        let _turn = self.turn.lock();
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.entries.remove(&(namespace.to_owned(), path.to_owned()));
    }

    pub(crate) fn clear(&self) {
        let _turn = self.turn.lock();
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.entries.clear();
    }
}
