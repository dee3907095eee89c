use std::sync::Barrier;

use scaivault_domain::access::{Permit, Space};
use scaivault_domain::path::SecretPath;

use super::*;
use crate::secret::{ReadSecret, Select, ValueRead};
use crate::testing::TestVault;

/// A read that lets a test do something before it looks.
struct Pausing {
    read: ReadSecret,
    pause: Option<Arc<Barrier>>,
}

impl Operation for Pausing {
    type Output = ValueRead;
    const ACTION: Action = ReadSecret::ACTION;

    fn target(&self) -> Target {
        self.read.target()
    }
}

impl Query for Pausing {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<ValueRead> {
        if let Some(pause) = &self.pause {
            pause.wait();
            pause.wait();
        }
        self.read.run(permit, view, cx)
    }
}

struct Pair([Part<Pausing>; 2]);

impl Batch for Pair {
    type Part = Pausing;
    const ACTION: Action = Action::SecretBatchRead;

    fn target(&self) -> Target {
        Target::Listing { space: Space::Tenant, prefix: None }
    }

    fn parts(&self) -> &[Part<Pausing>] {
        &self.0
    }

    fn fail_fast(&self) -> bool {
        false
    }

    fn size(_output: &ValueRead) -> usize {
        0
    }
}

fn read(path: &str) -> ReadSecret {
    let path = SecretPath::parse(path).unwrap();
    ReadSecret {
        space: Space::Tenant,
        path,
        select: Select::Current,
        include_retired: false,
        known_versions: Vec::new(),
        any_known: false,
    }
}

fn version_of(read: Result<ValueRead>) -> i64 {
    match read.unwrap() {
        ValueRead::Value(value) => value.version.version,
        ValueRead::NotModified { version } => version,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_see_one_snapshot_and_no_cache_keeps_what_was_replaced_meanwhile() {
    let test = TestVault::new();
    for path in ["a/x", "a/y"] {
        test.write_secret(Space::Tenant, path).await;
    }
    let pause = Arc::new(Barrier::new(2));
    let part = |path: &str, pause| Part { name: path.to_owned(), query: Ok(Pausing { read: read(path), pause }) };
    let pair = Pair([part("a/x", None), part("a/y", Some(Arc::clone(&pause)))]);
    let admitted = test.admit(Pair::ACTION).await;
    let vault = Arc::clone(&test.vault);
    let reading = tokio::spawn(async move { vault.batch(&admitted, pair).await.unwrap() });
    pause.wait();
    test.write_secret(Space::Tenant, "a/y").await;
    pause.wait();
    let found: Vec<i64> = reading.await.unwrap().into_iter().map(|(_, read)| version_of(read)).collect();
    assert_eq!(found, [1, 1], "the second path was written after the snapshot");
    assert_eq!(version_of(test.query(read("a/y")).await), 2);
}
