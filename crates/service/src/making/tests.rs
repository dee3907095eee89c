use std::time::Duration;

use scaivault_domain::access::Space;
use scaivault_domain::action::Action;
use scaivault_domain::path::SecretPath;
use scaivault_domain::secret::MetadataPatch;

use super::*;
use crate::context::Context;
use crate::secret::{OptionsChange, ReadSecret, Select, ValueRead};
use crate::secret_policy::{CreateSecretPolicy, GenerateSecret, PolicyType, UpdateSecretPolicy, checked_recipe};
use crate::testing::TestVault;
use crate::warm::WarmKeys;

/// Slow in kind, but quick enough for a test.
fn hashed(name: &str) -> Recipe {
    checked_recipe(&format!(r#"[{{"name":"{name}","generator":"bcrypt_hash","config":{{"rounds":4}}}}]"#)).unwrap()
}

async fn vault() -> TestVault {
    let test = TestVault::new();
    let (name, policy_type) = ("slow".to_owned(), PolicyType::Custom);
    let policy = CreateSecretPolicy { name, description: None, policy_type, recipe: hashed("first"), is_active: true };
    test.command(policy).await.unwrap();
    test
}

fn generate(path: &str) -> GenerateSecret {
    GenerateSecret {
        policy_id: "sp_slow".to_owned(),
        path: SecretPath::parse(path).unwrap(),
        secret_type: None,
        metadata: MetadataPatch::default(),
        options: OptionsChange::default(),
        create_only: false,
        expected_version: None,
    }
}

async fn names(test: &TestVault, path: &str) -> Vec<String> {
    let (path, select) = (SecretPath::parse(path).unwrap(), Select::Current);
    let query = ReadSecret {
        space: Space::Tenant,
        path,
        select,
        include_retired: false,
        known_versions: Vec::new(),
        any_known: false,
    };
    let ValueRead::Value(read) = test.query(query).await.unwrap() else { panic!("it was not known") };
    recipe::members(read.data.expose()).unwrap().into_iter().map(|(name, _)| name.into_owned()).collect()
}

/// All makers are taken: the command waits, and nobody else does. What it writes is of the recipe that holds by then.
#[tokio::test]
async fn others_write_meanwhile_and_a_changed_recipe_counts() {
    let test = vault().await;
    let places = u32::try_from(CONCURRENT_MAKERS).unwrap();
    let taken = Arc::clone(&test.vault.makers).acquire_many_owned(places).await.unwrap();
    let mut generating = Box::pin(test.command(generate("a")));
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut generating).await.is_err(), "it waits");
    test.write_secret(Space::Tenant, "b").await;
    assert_eq!(test.count("SELECT count(*) FROM secret WHERE path = 'a'"), 0);
    let change = UpdateSecretPolicy { id: "sp_slow".to_owned(), recipe: Some(hashed("second")), ..Default::default() };
    test.command(change).await.unwrap();
    drop(taken);
    generating.await.unwrap();
    assert_eq!(names(&test, "a").await, ["second", "second_hash"]);
    assert_eq!(test.count("SELECT count(*) FROM audit_entry WHERE secret_path = 'a' AND action = 'write'"), 1);
}

#[tokio::test]
async fn values_are_taken_for_their_own_recipe_only_and_asked_for_a_few_times() {
    let test = vault().await;
    let admitted = test.admit(Action::SecretPolicyGenerate).await;
    let mut making = Making::default();
    for turn in 0..=MOST_TURNS {
        let mut cx = Context::new(&test.vault, &admitted.caller, test.vault.now(), WarmKeys::default());
        cx.making = making;
        // Values are there from the second turn on, but always for the recipe before.
        assert!(cx.generated("a", &hashed(&format!("turn_{turn}")), "{}").is_err());
        assert_eq!(cx.making.lacks_something(), turn < MOST_TURNS, "{turn}");
        let after = std::mem::take(&mut cx.making);
        drop(cx);
        match test.vault.make(after).await {
            Some(made) => making = made,
            None => return assert_eq!(turn, MOST_TURNS),
        }
    }
}

#[tokio::test]
async fn a_rehearsal_makes_nothing() {
    let test = vault().await;
    let admitted = test.admit(Action::SecretPolicyGenerate).await;
    let mut cx = Context::new(&test.vault, &admitted.caller, test.vault.now(), WarmKeys::default());
    cx.making.rehearse(true);
    let made = cx.generated("a", &hashed("p"), r#"{"u":1}"#).unwrap();
    assert_eq!(made.expose(), r#"{"u":1,"p":"","p_hash":""}"#);
    assert!(!cx.making.lacks_something());
}
