//! One application for one test.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use scaivault_crypto::{Entropy, SystemEntropy};
use scaivault_domain::rate::RateLimits;
use scaivault_domain::time::{Clock, ManualClock, Timestamp};
use scaivault_http::HttpSettings;
use scaivault_service::rate::{FailedAuthThrottle, RateLimiter};
use scaivault_service::seal::FileProvider;
use scaivault_service::{Parts, Settings, Vault};
use scaivault_store::ReadView;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::actor::Actor;
use crate::database::{Engine, TestDatabase, off_thread};
use crate::raw::Raw;

/// When the manual clock begins: 2026-05-01T10:00:00Z.
pub const START: i64 = 1_777_629_600;

pub struct TestAppBuilder {
    engine: Engine,
    settings: Settings,
    limits: RateLimits,
    http: HttpSettings,
}

pub struct TestApp {
    pub vault: Arc<Vault>,
    pub clock: Arc<ManualClock>,
    pub(crate) router: Router,
    settings: Settings,
    root_token: String,
    ground: Arc<Ground>,
    /// A test that breaks the database on purpose can't be asked to leave it clean.
    pub(crate) check_at_end: bool,
}

/// What the nodes of a test share. It goes when the last of them has gone.
struct Ground {
    // First: its connections are closed before the files go.
    database: TestDatabase,
    directory: TempDir,
    canary: String,
    names: AtomicU32,
}

impl TestApp {
    /// An initialised, unsealed application, without rate limits.
    pub async fn new() -> Self {
        Self::builder().start().await
    }

    pub fn builder() -> TestAppBuilder {
        TestAppBuilder {
            engine: Engine::of_this_run(),
            settings: Settings::default(),
            limits: RateLimits::disabled(),
            http: HttpSettings::default(),
        }
    }

    /// The first administrator: super_admin of `tnt_default` with every scope.
    pub fn root(&self) -> Actor<'_> {
        Actor::new(self, self.root_token.clone())
    }

    pub fn anonymous(&self) -> Actor<'_> {
        Actor::anonymous(self)
    }

    pub fn with_token(&self, token: &str) -> Actor<'_> {
        Actor::new(self, token.to_owned())
    }

    /// (may do everything on every path, may read and list every path, may do nothing): users of `tnt_default`.
    pub async fn actors(&self) -> (Actor<'_>, Actor<'_>, Actor<'_>) {
        let secrets = ["secrets:read", "secrets:write", "secrets:delete", "secrets:list", "secrets:rotate"];
        let owner = self.user("owner", &secrets, &[("**", &["admin"])]).await;
        let reader = self.user("reader", &["secrets:read", "secrets:list"], &[("**", &["read", "list"])]).await;
        let stranger = self.user("stranger", &secrets, &[]).await;
        (owner, reader, stranger)
    }

    /// A user of `tnt_default` with a token of `scopes` and a policy of one rule for each (pattern, permissions).
    pub async fn user(&self, name: &str, scopes: &[&str], rules: &[(&str, &[&str])]) -> Actor<'_> {
        self.user_in("tnt_default", name, scopes, rules).await
    }

    pub async fn user_in(&self, tenant: &str, name: &str, scopes: &[&str], rules: &[(&str, &[&str])]) -> Actor<'_> {
        let number = self.ground.names.fetch_add(1, Ordering::Relaxed);
        let email = format!("{name}{number}@test.example");
        let root = self.root();
        let user = root
            .post(
                &format!("/v1/identity/tenants/{tenant}/users"),
                json!({"email": email, "display_name": name, "allowed_scopes": scopes}),
            )
            .await
            .expect(201);
        let id = user.json()["id"].as_str().unwrap().to_owned();
        let token = root
            .post("/v1/auth/tokens", json!({"name": "test", "scopes": scopes, "identity_id": id}))
            .in_tenant(tenant)
            .await
            .expect(201);
        if !rules.is_empty() {
            self.policy_in(tenant, &format!("{name}-{number}"), rules, &[("user", &id)]).await;
        }
        let mut actor = self.with_token(token.json()["token"].as_str().unwrap());
        actor.id = id;
        actor.identity_id = format!("user:{email}");
        actor
    }

    /// A policy bound to (identity_type, identity_id) pairs; answers its id.
    pub async fn policy_in(
        &self,
        tenant: &str,
        name: &str,
        rules: &[(&str, &[&str])],
        bind: &[(&str, &str)],
    ) -> String {
        let rules: Vec<Value> = rules
            .iter()
            .map(|(pattern, permissions)| json!({"path_pattern": pattern, "permissions": permissions}))
            .collect();
        let root = self.root();
        let policy =
            root.post("/v1/policies", json!({"name": name, "rules": rules})).in_tenant(tenant).await.expect(201);
        let id = policy.json()["id"].as_str().unwrap().to_owned();
        for (identity_type, identity_id) in bind {
            root.post(
                &format!("/v1/policies/{id}/bindings"),
                json!({"identity_type": identity_type, "identity_id": identity_id}),
            )
            .in_tenant(tenant)
            .await
            .expect(201);
        }
        id
    }

    /// Another tenant of the default partner; answers its id.
    pub async fn tenant(&self, name: &str) -> String {
        self.tenant_of("ptn_default", name).await
    }

    pub async fn tenant_of(&self, partner: &str, name: &str) -> String {
        let tenant =
            self.root().post("/v1/identity/tenants", json!({"partner_id": partner, "name": name})).await.expect(201);
        tenant.json()["id"].as_str().unwrap().to_owned()
    }

    pub async fn partner(&self, name: &str) -> String {
        let partner = self.root().post("/v1/identity/partners", json!({"name": name})).await.expect(201);
        partner.json()["id"].as_str().unwrap().to_owned()
    }

    /// Lets the server do what is due at this moment, and all that follows from it.
    pub async fn settle(&self) -> usize {
        self.vault.run_due_jobs().await.unwrap()
    }

    /// Lets time pass, second by second where something is due: each thing happens at its time.
    pub async fn pass(&self, seconds: i64) {
        let end = self.now().plus_seconds(seconds);
        self.settle().await;
        while let Some(next) = off_thread(|| self.vault.next_job_at()).unwrap().filter(|next| *next <= end) {
            self.clock.set(next.max(self.now()));
            self.settle().await;
        }
        self.clock.set(end);
        self.settle().await;
    }

    /// A text that no log, error or raw database byte may ever show; put it into values.
    pub fn canary(&self) -> &str {
        &self.ground.canary
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn data_dir(&self) -> &Path {
        self.ground.directory.path()
    }

    pub fn engine(&self) -> Engine {
        self.ground.database.engine()
    }

    /// A connection behind the server's back.
    pub fn raw(&self) -> Raw {
        self.ground.database.raw()
    }

    /// Looks into the store as the server does.
    pub fn look<T: Send>(&self, look: impl FnOnce(&mut ReadView<'_>) -> T + Send) -> T {
        off_thread(|| self.vault.store().read(look))
    }

    /// For tests that damage the database on purpose.
    pub fn expect_damage(&mut self) {
        self.check_at_end = false;
    }

    /// What the next start finds in its environment.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }

    /// Stops this application and starts another on the same data, with the same clock and token.
    pub async fn restart(mut self) -> Self {
        self.vault.shut_down().await;
        self.vault = self.open_again();
        self.router = scaivault_http::app(Arc::clone(&self.vault), HttpSettings::default());
        self
    }

    /// Another server on the same database, with the same root key, clock and settings. On PostgreSQL only.
    pub async fn second_node(&self) -> Self {
        assert_eq!(self.engine(), Engine::Postgres, "an embedded database is one server's alone");
        let vault = self.open_again();
        Self {
            router: scaivault_http::app(Arc::clone(&vault), HttpSettings::default()),
            vault,
            clock: Arc::clone(&self.clock),
            settings: self.settings.clone(),
            root_token: self.root_token.clone(),
            ground: Arc::clone(&self.ground),
            check_at_end: true,
        }
    }

    fn open_again(&self) -> Arc<Vault> {
        let (vault, first) = off_thread(|| open(&self.ground, &self.clock, &self.settings, &RateLimits::disabled()));
        assert!(first.is_none(), "there is an instance already");
        vault
    }
}

impl TestAppBuilder {
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Rate limits as a server has them by default, changed by `change`.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut RateLimits)) -> Self {
        self.limits = RateLimits::default();
        change(&mut self.limits);
        self
    }

    #[must_use]
    pub fn http(mut self, change: impl FnOnce(&mut HttpSettings)) -> Self {
        change(&mut self.http);
        self
    }

    pub async fn start(self) -> TestApp {
        let directory = tempfile::Builder::new().prefix("scaivault-test-").tempdir().unwrap();
        let mut random = [0; 8];
        SystemEntropy::new().fill(&mut random).unwrap();
        let ground = Arc::new(Ground {
            database: TestDatabase::new(self.engine, directory.path()),
            directory,
            canary: format!("CANARY-{:016x}", u64::from_be_bytes(random)),
            names: AtomicU32::new(0),
        });
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(START)));
        let (vault, first) = off_thread(|| open(&ground, &clock, &self.settings, &self.limits));
        let first = first.expect("a fresh store is initialised");
        TestApp {
            router: scaivault_http::app(Arc::clone(&vault), self.http),
            vault,
            clock,
            settings: self.settings,
            root_token: first.token.expose().to_owned(),
            ground,
            check_at_end: true,
        }
    }
}

fn open(
    ground: &Ground,
    clock: &Arc<ManualClock>,
    settings: &Settings,
    limits: &RateLimits,
) -> (Arc<Vault>, Option<scaivault_service::FirstStart>) {
    let throttled = limits.per_minute(scaivault_domain::rate::RateCategory::Read).is_some();
    let vault = Vault::new(Parts {
        store: ground.database.open(),
        provider: Box::new(FileProvider::new(ground.directory.path().join("root.key"))),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy: Arc::new(SystemEntropy::new()),
        settings: settings.clone(),
        limiter: RateLimiter::new(limits),
        throttle: throttled.then(FailedAuthThrottle::new),
    });
    let first = vault.start().unwrap();
    (vault, first)
}
