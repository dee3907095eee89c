use scaivault_crypto::SecretBytes;
use scaivault_crypto::kdf::PassphraseCost;
use scaivault_domain::access::Space;
use scaivault_domain::audit::INSTANCE_STREAM;
use scaivault_domain::id::IdentityRef;

use super::*;
use crate::audit::{IdentityHistory, TimeRange};
use crate::error::Code;
use crate::seal::PassphraseProvider;
use crate::testing::{TENANT, TestVault};

const PASSPHRASE: &str = "correct horse battery staple";

fn with_passphrase() -> TestVault {
    TestVault::with(
        |_| {},
        |_| {
            let passphrase = SecretBytes::new(PASSPHRASE.as_bytes().to_vec());
            Box::new(PassphraseProvider::new(Some(passphrase), PassphraseCost::INSECURE_FOR_TESTS))
        },
    )
}

impl TestVault {
    async fn unseal(&self, passphrase: &str) -> crate::error::Result<crate::seal::SealStatus> {
        self.vault.unseal(&self.meta(), SecretBytes::new(passphrase.as_bytes().to_vec())).await
    }

    fn system_changes(&self, stream: &str, status: i64) -> i64 {
        self.count(&format!(
            "SELECT COUNT(*) FROM audit_entry WHERE stream = '{stream}' AND action = 'system_change' AND status_code = {status}"
        ))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_is_recorded_and_wipes_the_keys() {
    let test = with_passphrase();
    test.write_secret(Space::Tenant, "a").await;
    let status = test.command(SealServer).await.unwrap();
    assert!(status.sealed && status.initialized);
    assert!(test.vault.is_sealed());
    assert_eq!(test.system_changes(TENANT, 200), 1);
    let readiness = test.vault.readiness().await;
    assert!(!readiness.is_ready());
    assert_eq!(readiness.errors(), [("encryption", "sealed")]);
    // Health and metrics are for the operator who has to unseal it.
    let health = test.query(DetailedHealth).await.unwrap();
    assert!(!health.is_healthy() && health.database);
    assert!(test.query(ReadMetrics).await.unwrap().contains("scaivault_sealed 1"));
    // Nothing else is.
    let refused = test
        .vault
        .admit(
            test.meta(),
            None,
            crate::session::TenantChoice::Home,
            scaivault_domain::action::Action::SecretRead,
            None,
        )
        .await
        .unwrap_err();
    assert_eq!(refused.error.details()["reason"], "sealed");
    assert_eq!(test.vault.retention_step().await.unwrap_err().code(), Code::ServiceUnavailable);

    assert_eq!(test.unseal("wrong").await.unwrap_err().code(), Code::InvalidRequest);
    assert!(test.vault.is_sealed());
    assert!(!test.unseal(PASSPHRASE).await.unwrap().sealed);
    assert_eq!((test.system_changes(INSTANCE_STREAM, 400), test.system_changes(INSTANCE_STREAM, 200)), (1, 1));
    assert!(test.vault.readiness().await.is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slow() {
    let test = with_passphrase();
    test.vault.seal();
    for _ in 0..5 {
        assert_eq!(test.unseal("wrong").await.unwrap_err().code(), Code::InvalidRequest);
    }
    let refused = test.unseal(PASSPHRASE).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after_seconds()), (Code::RateLimited, Some(12)));
    test.clock.advance(12);
    assert!(!test.unseal(PASSPHRASE).await.unwrap().sealed);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_without_keys() {
    let test = TestVault::new();
    let keys = test.query(ListKeys).await.unwrap();
    let levels: Vec<(&str, &str)> = keys.iter().map(|key| (key.level.as_str(), key.owner_id.as_str())).collect();
    let partner = crate::init::PARTNER;
    assert_eq!(levels, [("instance", "instance"), ("namespace", partner), ("partner", partner), ("tenant", TENANT)]);
    assert!(keys.iter().all(|key| key.is_active && key.key_id.starts_with("k_")));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_follow_what_happens() {
    let test = TestVault::new();
    test.write_secret(Space::Tenant, "a").await;
    test.write_secret(Space::Tenant, "b").await;
    let history = IdentityHistory {
        identity: IdentityRef::parse("user:admin@localhost").unwrap(),
        range: TimeRange::default(),
        limit: 1,
        after: None,
    };
    test.query(history).await.unwrap();
    let text = test.vault.scrape().await.unwrap();
    for line in [
        "scaivault_secrets_total{tenant=\"tnt_default\"} 2",
        "scaivault_secret_writes_total{tenant=\"tnt_default\"} 2",
        "scaivault_audit_entries_total 3",
        "scaivault_audit_commit_seconds_count 3",
        "scaivault_sealed 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    // Counted once for scrapes in a row.
    test.write_secret(Space::Tenant, "c").await;
    assert!(test.vault.scrape().await.unwrap().contains("scaivault_secrets_total{tenant=\"tnt_default\"} 2"));
    test.clock.advance(15);
    assert!(test.vault.scrape().await.unwrap().contains("scaivault_secrets_total{tenant=\"tnt_default\"} 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_is_not_ready() {
    let test = TestVault::new();
    assert!(test.vault.readiness().await.is_ready());
    test.vault.begin_shutdown();
    assert_eq!(test.vault.readiness().await.errors(), [("server", "shutting_down")]);
}
