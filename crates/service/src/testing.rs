//! A vault in a directory of its own, for the tests of this crate.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use scaivault_crypto::{SecretString, SystemEntropy};
use scaivault_domain::access::Space;
use scaivault_domain::action::Action;
use scaivault_domain::audit::AuditAction;
use scaivault_domain::path::SecretPath;
use scaivault_domain::rate::RateLimits;
use scaivault_domain::time::{Clock, ManualClock, Timestamp};
use scaivault_store::{SqliteLocation, SqliteOptions, Store};
use tempfile::TempDir;

use crate::admit::Admitted;
use crate::caller::RequestMeta;
use crate::context::Notes;
use crate::error::Result;
use crate::operation::{Command, Query};
use crate::pipeline::Reply;
use crate::rate::RateLimiter;
use crate::seal::{FileProvider, RootKeyProvider};
use crate::secret::{IfMatch, OptionsChange, WriteSecret};
use crate::session::TenantChoice;
use crate::settings::Settings;
use crate::vault::{Parts, Vault};

pub(crate) const TENANT: &str = crate::init::TENANT;

pub(crate) struct TestVault {
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<ManualClock>,
    token: String,
    directory: TempDir,
}

impl TestVault {
    pub(crate) fn new() -> Self {
        Self::with(|_| {}, |directory| Box::new(FileProvider::new(directory.join("root.key"))))
    }

    pub(crate) fn with(
        change: impl FnOnce(&mut Settings),
        provider: impl FnOnce(&std::path::Path) -> Box<dyn RootKeyProvider>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-05-01T10:00:00Z").unwrap()));
        let mut settings =
            Settings { audit_checkpoint_file: Some(directory.path().join("checkpoints")), ..Settings::default() };
        change(&mut settings);
        let file = directory.path().join("scaivault.db");
        let vault = Vault::new(Parts {
            store: Store::open_sqlite(&SqliteOptions { location: SqliteLocation { file } }).unwrap(),
            provider: provider(directory.path()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(SystemEntropy::new()),
            settings,
            limiter: RateLimiter::new(&RateLimits::disabled()),
            throttle: None,
        });
        // On a thread of its own: starting blocks, and the tests are async.
        let starting = Arc::clone(&vault);
        let first = std::thread::spawn(move || starting.start().unwrap().unwrap()).join().unwrap();
        Self { vault, clock, token: first.token.expose().to_owned(), directory }
    }

    pub(crate) fn checkpoint_file(&self) -> PathBuf {
        self.directory.path().join("checkpoints")
    }

    /// A connection behind the server's back.
    pub(crate) fn tamper(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.directory.path().join("scaivault.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    pub(crate) fn count(&self, sql: &str) -> i64 {
        let connection = rusqlite::Connection::open(self.directory.path().join("scaivault.db")).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn meta(&self) -> RequestMeta {
        RequestMeta {
            request_id: "req_test".to_owned(),
            client_request_id: None,
            source_ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            user_agent: None,
            started: self.clock.now(),
            fresh: false,
        }
    }

    /// `count` entries in the default tenant's stream.
    pub(crate) async fn write_entries(&self, count: usize) {
        for _ in 0..count {
            let mut draft = self.vault.blank(&self.meta(), AuditAction::Read, &Notes::default(), Ok(200)).unwrap();
            draft.stream = TENANT.to_owned();
            draft.entry.tenant_id = Some(TENANT.to_owned());
            draft.entry.secret_path = Some("a/b".to_owned());
            draft.entry.extra_data.insert("version".to_owned(), 1.into());
            self.vault.record(draft).await.unwrap();
        }
    }

    pub(crate) async fn admit(&self, action: Action) -> Admitted {
        let choice = TenantChoice::Home;
        self.vault
            .admit(self.meta(), Some(&self.token), choice, action, None)
            .await
            .map_err(|refused| refused.error)
            .unwrap()
    }

    /// As the first administrator.
    pub(crate) async fn query<Q: Query>(&self, query: Q) -> Result<Q::Output> {
        let admitted = self.admit(Q::ACTION).await;
        self.vault.query(&admitted, query).await.map(|answer| answer.output)
    }

    /// As the first administrator.
    pub(crate) async fn command<C: Command>(&self, command: C) -> Result<C::Output> {
        let admitted = self.admit(C::ACTION).await;
        self.vault.command(&admitted, command, None).await.map(|reply| match reply {
            Reply::Fresh(answer) => answer.output,
            Reply::Replayed(_) => panic!("nothing was to be repeated"),
        })
    }

    pub(crate) async fn write_secret(&self, space: Space, path: &str) {
        self.command(WriteSecret {
            space,
            path: SecretPath::parse(path).unwrap(),
            data: SecretString::new(r#"{"k":"v"}"#.to_owned()),
            secret_type: None,
            metadata: Default::default(),
            options: OptionsChange::default(),
            if_match: IfMatch::Anything,
            create_only: false,
            expected_version: None,
        })
        .await
        .unwrap();
    }
}
