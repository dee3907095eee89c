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
use scaivault_testkit::{Engine, Raw, TestDatabase, off_thread};
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
    // Before the directory: its connections are closed before the files go.
    database: TestDatabase,
    directory: TempDir,
}

impl Drop for TestVault {
    fn drop(&mut self) {
        off_thread(|| self.vault.store.close());
    }
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
        let database = TestDatabase::new(Engine::of_this_run(), directory.path());
        let vault = Vault::new(Parts {
            store: off_thread(|| database.open()),
            provider: provider(directory.path()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(SystemEntropy::new()),
            settings,
            limiter: RateLimiter::new(&RateLimits::disabled()),
            throttle: None,
        });
        let first = off_thread(|| vault.start()).unwrap().unwrap();
        Self { vault, clock, token: first.token.expose().to_owned(), database, directory }
    }

    pub(crate) fn checkpoint_file(&self) -> PathBuf {
        self.directory.path().join("checkpoints")
    }

    /// A connection behind the server's back.
    pub(crate) fn raw(&self) -> Raw {
        self.database.raw()
    }

    /// Changes the database behind the server's back.
    pub(crate) fn tamper(&self, sql: &str) {
        self.raw().batch(sql);
    }

    pub(crate) fn count(&self, sql: &str) -> i64 {
        self.raw().count(sql)
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
