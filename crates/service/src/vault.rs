//! The service itself: what all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use scaivault_crypto::{Entropy, OpaqueToken, RootKey, SecretBytes, TokenHash};
use scaivault_domain::audit::AuditEntry;
use scaivault_domain::cursor::Cursor;
use scaivault_domain::id::{self, Ulid};
use scaivault_domain::time::{Clock, Timestamp};
use scaivault_store::tenant::TenantRecord;
use scaivault_store::{Change, CommitListener, Store, instance};

use crate::audit::Growth;
use crate::cache::{GenerationCache, SecretCache};
use crate::caller::Session;
use crate::error::{Code, Error, Outage, Result};
use crate::event::Violations;
use crate::event::{Audience, Listening, REMEMBERED_AUDIENCES};
use crate::failure_log::FailureLog;
use crate::init::{self, FirstStart};
use crate::job::Runner;
use crate::keyring::{Keyring, Root};
use crate::making::CONCURRENT_MAKERS;
use crate::metrics::Metrics;
use crate::mirror::Mirror;
use crate::rate::{FailedAuthThrottle, RateLimiter};
use crate::running::Running;
use crate::seal::{RootKeyProvider, SealError, SealStatus};
use crate::settings::Settings;
use crate::statistics::Statistics;
use crate::system::{Counted, UnsealGate};
use crate::webhook::{DeliveryIds, Pace, Poster};

/// Sessions kept in memory. One is a few hundred bytes and its policies.
const REMEMBERED_SESSIONS: usize = 10_000;
const REMEMBERED_TENANTS: usize = 10_000;
/// Lists and audit queries that run at a time: fewer than the store has read connections.
const CONCURRENT_SCANS: usize = 4;

/// What a vault is made of; the binary and the tests fill it in.
pub struct Parts {
    pub store: Store,
    pub provider: Box<dyn RootKeyProvider>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub settings: Settings,
    pub limiter: RateLimiter,
    /// `None` when rate limits are switched off.
    pub throttle: Option<FailedAuthThrottle>,
}

/// The running service. Doors hold it in an `Arc` and send it operations.
pub struct Vault {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Settings,
    pub(crate) keyring: Keyring,
    pub(crate) sessions: GenerationCache<TokenHash, Arc<Session>>,
    pub(crate) tenants: GenerationCache<String, Option<Arc<TenantRecord>>>,
    pub(crate) secrets: SecretCache,
    /// By namespace: whether anybody asked for `secret.accessed`.
    pub(crate) read_listeners: GenerationCache<String, bool>,
    /// By tenant: who listens to its events.
    pub(crate) audiences: GenerationCache<String, Arc<Audience>>,
    pub(crate) limiter: RateLimiter,
    pub(crate) throttle: Option<FailedAuthThrottle>,
    pub(crate) failure_log: FailureLog,
    pub(crate) violations: Violations,
    pub(crate) statistics: Statistics,
    pub(crate) mirror: Mirror,
    pub(crate) running: Running,
    pub(crate) runner: Runner,
    /// What sends webhooks.
    pub(crate) poster: Poster,
    pub(crate) pace: Pace,
    pub(crate) delivery_ids: DeliveryIds,
    pub(crate) listening: Arc<Listening>,
    /// Places for scans; see [`CONCURRENT_SCANS`].
    pub(crate) scans: tokio::sync::Semaphore,
    /// Places for slow recipes; see [`CONCURRENT_MAKERS`].
    pub(crate) makers: Arc<tokio::sync::Semaphore>,
    pub(crate) metrics: Metrics,
    pub(crate) growth: Growth,
    pub(crate) secrets_counted: Mutex<Counted>,
    pub(crate) unseal_gate: UnsealGate,
    /// Set once, when the server begins to shut down.
    pub(crate) draining: AtomicBool,
    pub(crate) started_at: Timestamp,
    provider: Box<dyn RootKeyProvider>,
    /// Why the server stayed sealed, for the log, `check` and nobody else.
    seal_reason: Mutex<Option<String>>,
}

impl Vault {
    pub fn new(parts: Parts) -> Arc<Self> {
        let vault = Arc::new(Self {
            started_at: parts.clock.now(),
            keyring: Keyring::new(&parts.store, parts.settings.key_cache_ttl_seconds),
            sessions: GenerationCache::new(&parts.store, REMEMBERED_SESSIONS),
            tenants: GenerationCache::new(&parts.store, REMEMBERED_TENANTS),
            secrets: SecretCache::new(&parts.store),
            read_listeners: GenerationCache::new(&parts.store, REMEMBERED_TENANTS),
            audiences: GenerationCache::new(&parts.store, REMEMBERED_AUDIENCES),
            failure_log: FailureLog::default(),
            violations: Violations::default(),
            statistics: Statistics::default(),
            mirror: Mirror::open(&parts.settings),
            running: Running::default(),
            runner: Runner::default(),
            poster: Poster::new(&parts.settings.webhook_addresses),
            pace: Pace::default(),
            delivery_ids: DeliveryIds::default(),
            listening: Arc::default(),
            scans: tokio::sync::Semaphore::new(CONCURRENT_SCANS),
            makers: Arc::new(tokio::sync::Semaphore::new(CONCURRENT_MAKERS)),
            metrics: Metrics::new(parts.settings.commit, parts.settings.metrics_per_identity),
            growth: Growth::default(),
            secrets_counted: Mutex::new(None),
            unseal_gate: UnsealGate::default(),
            draining: AtomicBool::new(false),
            seal_reason: Mutex::new(None),
            store: parts.store,
            provider: parts.provider,
            clock: parts.clock,
            entropy: parts.entropy,
            settings: parts.settings,
            limiter: parts.limiter,
            throttle: parts.throttle,
        });
        vault.store.listen(Arc::new(Invalidator(Arc::downgrade(&vault))));
        vault
    }

    /// Opens the instance: initialises an empty database where the provider needs no operator, and unseals with what the provider
    /// has. A server without a usable root key stays up and sealed; it neither dies nor starts empty.
    ///
    /// Blocks; call it before the server takes requests.
    pub fn start(self: &Arc<Self>) -> Result<Option<FirstStart>> {
        let record = match self.store.read(|view| instance::find(view))? {
            Some(record) => record,
            None => match self.initialise() {
                Ok(first) => return Ok(Some(first)),
                Err(SealOrError::Seal(error)) => {
                    self.stay_sealed(&error.to_string());
                    return Ok(None);
                }
                // Another node may have been quicker.
                Err(SealOrError::Error(error)) => match self.store.read(|view| instance::find(view))? {
                    Some(record) => record,
                    None => return Err(error),
                },
            },
        };
        if record.provider != self.provider.name() {
            self.stay_sealed(&format!(
                "the database was initialised with provider '{}', but KMS_PROVIDER is '{}'",
                record.provider,
                self.provider.name()
            ));
            return Ok(None);
        }
        match self.provider.obtain(record.kdf_salt.as_deref()) {
            Ok(root) => self.unseal_with(self.watched(root)),
            Err(error) => self.stay_sealed(&error.to_string()),
        }
        Ok(None)
    }

    /// Makes a new instance in an empty database and unseals it.
    pub fn initialise(self: &Arc<Self>) -> Result<FirstStart, SealOrError> {
        let salt = init::salt(&*self.entropy)?;
        let root = self.watched(self.provider.create(&salt, &*self.entropy)?);
        let first = init::run(self, &root, self.provider.name(), salt)?;
        self.unseal_with(root);
        Ok(first)
    }

    fn watched(&self, root: RootKey) -> Root {
        Root::new(root, self.metrics.kms().clone())
    }

    fn unseal_with(&self, root: Root) {
        match self.keyring.unseal(&self.store, root) {
            Ok(()) => {
                *self.seal_reason.lock() = None;
                tracing::info!("unsealed");
            }
            Err(reason) => self.stay_sealed(&reason),
        }
    }

    fn stay_sealed(&self, reason: &str) {
        tracing::error!(reason, "the server stays sealed");
        *self.seal_reason.lock() = Some(reason.to_owned());
    }

    pub fn is_sealed(&self) -> bool {
        self.keyring.is_sealed()
    }

    /// Why the server is sealed, for operators at the console (never sent to clients).
    pub fn seal_reason(&self) -> Option<String> {
        self.seal_reason.lock().clone()
    }

    pub async fn seal_status(self: &Arc<Self>) -> Result<SealStatus> {
        let vault = Arc::clone(self);
        let initialized = tokio::task::spawn_blocking(move || vault.store.read(instance::exists))
            .await
            .map_err(Error::internal)??;
        Ok(self.seal_status_of(self.is_sealed(), initialized))
    }

    pub(crate) fn seal_status_of(&self, sealed: bool, initialized: bool) -> SealStatus {
        SealStatus { sealed, provider: self.provider.name(), threshold: 1, shares: 1, progress: 0, initialized }
    }

    pub(crate) fn provider_name(&self) -> &'static str {
        self.provider.name()
    }

    /// Unseals with a passphrase, or changes nothing.
    pub(crate) async fn try_unseal(self: &Arc<Self>, passphrase: SecretBytes) -> Result<()> {
        let vault = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let wrong = |reason: String| {
                tracing::warn!(reason, "unsealing was refused");
                Error::new(Code::InvalidRequest, "The server could not be unsealed with that; it stays sealed")
                    .with("reason", "unseal_failed")
            };
            let record = vault.store.read(|view| instance::find(view))?.ok_or_else(|| {
                Error::new(Code::InvalidRequest, "The server is not initialized; run: scaivault init")
            })?;
            let salt = record.kdf_salt.ok_or_else(|| wrong("the provider takes no passphrase".to_owned()))?;
            let root = vault.provider.unseal_with(&passphrase, &salt).map_err(|error| wrong(error.to_string()))?;
            vault.keyring.unseal(&vault.store, vault.watched(root)).map_err(wrong)?;
            *vault.seal_reason.lock() = None;
            tracing::info!("unsealed by an operator");
            Ok(())
        })
        .await
        .map_err(Error::internal)?
    }

    /// Wipes the keys. Providers that hold the key themselves unseal again at the next start.
    pub(crate) fn seal(&self) {
        self.keyring.seal();
        self.secrets.clear();
        self.sessions.clear();
        self.listening.ring_all();
        tracing::warn!("sealed by an operator");
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }

    pub fn ulid(&self, now: Timestamp) -> Result<Ulid> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random).map_err(Error::internal)?;
        Ok(id::ulid(now, random))
    }

    pub(crate) fn new_token(&self, kind: scaivault_crypto::TokenKind) -> Result<OpaqueToken> {
        OpaqueToken::generate(kind, &*self.entropy).map_err(Error::internal)
    }

    /// The text of a cursor for the client.
    pub fn encode_cursor(&self, cursor: &Cursor) -> Result<String> {
        Ok(cursor.encode(&self.keyring.unsealed()?.cursor_key))
    }

    /// Reads a client's cursor. Whatever is wrong with it, the client hears one thing.
    pub fn decode_cursor(&self, text: &str, endpoint: &str, tenant: &str) -> Result<Cursor> {
        let unsealed = self.keyring.unsealed()?;
        Cursor::decode(text, &unsealed.cursor_key, endpoint, tenant, self.now().as_micros())
            .map_err(|_| invalid_cursor())
    }

    /// Writes what waits in memory and closes the store.
    pub async fn shut_down(self: &Arc<Self>) {
        if let Err(error) = self.flush_statistics().await {
            tracing::warn!(?error, "the last access statistics were not written");
        }
        let vault = Arc::clone(self);
        let close = move || {
            vault.store.close();
            vault.mirror.close();
        };
        if tokio::task::spawn_blocking(close).await.is_err() {
            tracing::error!("the store did not close cleanly");
        }
    }
}

pub fn invalid_cursor() -> Error {
    Error::new(Code::InvalidCursor, "The cursor is not valid for this list; start again without one")
}

/// A first start fails for want of a key, or for anything else.
#[derive(Debug)]
pub enum SealOrError {
    Error(Error),
    Seal(SealError),
}

impl From<Error> for SealOrError {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<SealError> for SealOrError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl From<SealOrError> for Error {
    fn from(error: SealOrError) -> Self {
        match error {
            SealOrError::Error(error) => error,
            SealOrError::Seal(error) => Error::unavailable(Outage::Kms, error),
        }
    }
}

/// Empties caches after each commit, before its callers are answered: whoever saw an answer sees its effect.
struct Invalidator(std::sync::Weak<Vault>);

impl CommitListener for Invalidator {
    fn committed(&self, changes: &[Change], entries: &[AuditEntry]) {
        let Some(vault) = self.0.upgrade() else { return };
        entries.iter().for_each(|entry| vault.published(entry));
        for change in changes {
            match change {
                Change::Access => {
                    vault.sessions.clear();
                    vault.tenants.clear();
                }
                Change::Everything => {
                    vault.sessions.clear();
                    vault.tenants.clear();
                    vault.secrets.clear();
                    vault.read_listeners.clear();
                    vault.audiences.clear();
                    vault.keyring.forget();
                    vault.runner.wake();
                    vault.listening.ring_all();
                }
                Change::AllSecrets => vault.secrets.clear(),
                Change::Erased => {}
                Change::Listeners => {
                    vault.read_listeners.clear();
                    vault.audiences.clear();
                }
                Change::Event { tenant_id } => {
                    vault.runner.wake();
                    vault.listening.ring(tenant_id);
                }
                Change::Buffered { subscription_id } => vault.listening.ring(subscription_id),
                Change::Job => vault.runner.wake(),
                Change::Keys | Change::Shredded => vault.keyring.forget(),
                Change::Secret { namespace, path } => vault.secrets.invalidate(namespace, path),
            }
        }
    }
}
