//! The runner with jobs made for it.

mod clock;
mod course;
mod failing;
mod slow;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scaivault_domain::audit::AuditAction;
use scaivault_domain::time::Timestamp;
use scaivault_store::WriteTx;
use scaivault_store::job::{self, JobRecord, Plan};
use tokio::task::JoinSet;

use super::{Doing, Job, JobKind, Next, OwnEntry};
use crate::context::Work;
use crate::error::{Code, Error, Outage, Result};
use crate::secret_policy::checked_recipe;
use crate::testing::{TENANT, TestVault};
use crate::vault::Vault;

/// How often a subject's job ran. Subjects name their test, so that tests do not count each other's.
static RUNS: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

fn count(subject: &str) -> usize {
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let runs = runs.get_or_insert_default().entry(subject.to_owned()).or_default();
    *runs += 1;
    *runs
}

fn runs(subject: &str) -> usize {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().get(subject).copied().unwrap_or(0)
}

/// What a subject's job does stands behind the last `/` of its name.
fn way_of(subject: &str) -> &str {
    subject.rsplit('/').next().unwrap_or_default()
}

/// Leaves an entry in the trail, then does what its subject says.
pub(super) fn inside(job: &Job, _: &mut WriteTx<'_>, work: &mut Work<'_>) -> Result<Next> {
    let turn = count(job.subject());
    work.leave_entry(OwnEntry {
        action: AuditAction::Purge,
        secret_path: None,
        resource_id: Some(job.subject().to_owned()),
        extra: Default::default(),
        failed: None,
    });
    match way_of(job.subject()) {
        "panic" => panic!("on purpose"),
        "fail" => Err(Error::internal("words for the log only")),
        "fail_once" if turn == 1 => Err(Error::internal("words for the log only")),
        "outage" => Err(Error::unavailable(Outage::Kms, "away")),
        "refused" => Err(Error::new(Code::InvalidState, "It can't be done in this state")),
        "made" => {
            let hash = r#"[{"name":"v","generator":"bcrypt_hash","config":{"rounds":4}}]"#;
            work.generated("", &checked_recipe(hash)?, "{}").map(|_| Next::Never)
        }
        "now" => Ok(Next::At(work.now)),
        "hourly" => Ok(Next::At(work.now.plus_seconds(3600))),
        _ => Ok(Next::Never),
    }
}

pub(super) fn outside(vault: Arc<Vault>, taken: JobRecord) -> Doing {
    Box::pin(async move {
        count(&taken.key.subject);
        match way_of(&taken.key.subject) {
            "panic" => panic!("on purpose"),
            "fail" => return Err(Error::internal("words for the log only")),
            "hang" => std::future::pending::<()>().await,
            "slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            "hourly" => return Ok(Next::At(vault.clock.now().plus_seconds(3600))),
            _ => {}
        }
        Ok(Next::Never)
    })
}

const YEAR: i64 = 366 * 86_400;

async fn plan_at(test: &TestVault, kind: JobKind, tenant: &str, subject: &str, run_at: Timestamp) {
    let (tenant, subject, now) = (tenant.to_owned(), subject.to_owned(), test.vault.now());
    let write = test.vault.store.write(scaivault_store::Lane::Whole, move |tx| {
        let plan = Plan { kind: kind.as_str(), subject: &subject, tenant_id: &tenant, namespace: &tenant, run_at };
        job::plan(tx, &plan, now)
    });
    write.await.unwrap();
}

/// Due at this moment.
async fn plan(test: &TestVault, kind: JobKind, subject: &str) {
    plan_at(test, kind, TENANT, subject, test.vault.now()).await;
}

/// One look at what is due; what acts outside goes on in the set.
async fn look(test: &TestVault) -> JoinSet<()> {
    let mut under_way = JoinSet::new();
    test.vault.take_due(&mut under_way).await.unwrap();
    under_way
}

fn rows(test: &TestVault, subject: &str) -> i64 {
    test.count(&format!("SELECT COUNT(*) FROM job WHERE subject = '{subject}'"))
}

fn dead(test: &TestVault) -> Vec<(String, i64, String)> {
    let dead = test.vault.store.read(|view| job::dead(view, 100)).unwrap();
    dead.into_iter().map(|dead| (dead.key.subject, dead.failures, dead.error)).collect()
}

fn entries(test: &TestVault, subject: &str) -> i64 {
    test.count(&format!(
        "SELECT COUNT(*) FROM audit_entry WHERE identity_id = 'system:test' AND resource_id = '{subject}' AND action = 'purge'"
    ))
}

async fn until(what: impl Fn() -> bool) {
    let met = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), met).await.expect("it did not come to it");
}
