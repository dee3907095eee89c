//! What was told of expiries and bindings, and whose jobs outlive a tenant.

use scaivault_domain::expiry::Settled;
use scaivault_store::binding::{self, BindingRecord, Bound};
use scaivault_store::job::{self, Plan};
use scaivault_store::partner::{self, PartnerRecord};
use scaivault_store::policy::{self, PolicyRecord};
use scaivault_store::tenant::{self, TenantRecord, TenantSettings};
use scaivault_store::{Lane, StoreResult, WriteTx, secret, secret_expiry};

use crate::{at, engines, record, scope};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_of_an_expiry_is_kept_and_goes_with_the_secret() {
    for bench in engines() {
        let store = bench.open();
        let settled =
            |end: i64, until: i64| Settled { expires_at: at(end), notify_before: "7d,1d".to_owned(), until: at(until) };
        let (first, second) = (settled(100, 0), settled(200, 50));
        let (one, two) = (first, second.clone());
        store
            .write(Lane::Whole, move |tx| {
                secret::insert(tx, &scope("tnt_a"), &record("sec_1", "a/b"))?;
                assert_eq!(secret_expiry::find(tx, "sec_1")?, None);
                secret_expiry::put(tx, "sec_1", &one)?;
                assert_eq!(secret_expiry::find(tx, "sec_1")?, Some(one.clone()));
                secret_expiry::put(tx, "sec_1", &two)
            })
            .await
            .unwrap();
        assert_eq!(store.read(|view| secret_expiry::find(view, "sec_1")).unwrap(), Some(second));
        let found = |tenant: &str| store.read(|view| secret::by_id(view, &scope(tenant), "sec_1")).unwrap();
        assert_eq!((found("tnt_a").map(|record| record.path), found("tnt_b")), (Some("a/b".to_owned()), None));
        store.write(Lane::Whole, |tx| secret::erase(tx, &scope("tnt_a"), "sec_1", "a/b")).await.unwrap();
        assert_eq!(store.read(|view| secret_expiry::find(view, "sec_1")).unwrap(), None);
    }
}

fn bind(tx: &mut WriteTx<'_>, id: &str, key: &str) -> StoreResult<()> {
    binding::insert(
        tx,
        &BindingRecord {
            id: id.to_owned(),
            policy_id: "pol_1".to_owned(),
            tenant_id: "tnt_a".to_owned(),
            identity_type: "system".to_owned(),
            identity_key: key.to_owned(),
            expires_at: Some(at(60)),
            created_at: at(0),
            created_by: "user:a@b.example".to_owned(),
            lapsed_at: None,
        },
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapse_is_noted_on_its_binding_alone() {
    for bench in engines() {
        let store = bench.open();
        store
            .write(Lane::Whole, |tx| {
                let policy = PolicyRecord {
                    id: "pol_1".to_owned(),
                    owner_id: "tnt_a".to_owned(),
                    scope: "tenant".to_owned(),
                    name: "p".to_owned(),
                    description: None,
                    is_active: true,
                    rules: serde_json::json!([]),
                    created_at: at(0),
                    updated_at: at(0),
                };
                policy::insert(tx, &policy)?;
                bind(tx, "bnd_1", "dynamic:pg")?;
                bind(tx, "bnd_2", "dynamic:my")?;
                // Whoever it was for is gone.
                bind(tx, "bnd_3", "usr_gone")?;
                binding::lapsed(tx, "bnd_1", at(60))
            })
            .await
            .unwrap();
        let lapses = store.read(|view| binding::of_policy(view, "pol_1")).unwrap();
        let lapses: Vec<_> = lapses.iter().map(|one| (one.record.id.as_str(), one.record.lapsed_at)).collect();
        assert_eq!(lapses, [("bnd_1", Some(at(60))), ("bnd_2", None)]);
        let (here, elsewhere) = (scope("tnt_a"), scope("tnt_b"));
        let in_tenant = |owner, id: &str| store.read(|view| binding::in_tenant(view, owner, id)).unwrap().is_some();
        assert!(in_tenant(here.owner(), "bnd_2"));
        assert!(!in_tenant(elsewhere.owner(), "bnd_2") && !in_tenant(here.owner(), "bnd_3"));
        let of = |tenant: &str| store.read(|view| binding::of_identity(view, tenant, "dynamic:pg")).unwrap();
        assert_eq!((of("tnt_a").len(), of("tnt_b").len()), (1, 0));
        let listed = store.read(|view| binding::list(view, "pol_1", Bound::In(here.owner()), None, 10)).unwrap();
        assert_eq!(listed.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_for_shared_secrets_outlive_the_tenant_in_whose_name_they_were_planned() {
    for bench in engines() {
        let store = bench.open();
        store
            .write(Lane::Whole, |tx| {
                let partner = PartnerRecord {
                    id: "ptn_a".to_owned(),
                    name: "p".to_owned(),
                    slug: "p".to_owned(),
                    region: None,
                    status: "ACTIVE".to_owned(),
                    created_at: at(0),
                    updated_at: at(0),
                    last_synced_at: None,
                };
                partner::insert(tx, &partner)?;
                for (id, status) in [("tnt_a", "ACTIVE"), ("tnt_b", "DELETED"), ("tnt_c", "ACTIVE")] {
                    let tenant = TenantRecord {
                        id: id.to_owned(),
                        partner_id: "ptn_a".to_owned(),
                        name: id.to_owned(),
                        slug: id.to_owned(),
                        status: status.to_owned(),
                        settings: TenantSettings::default(),
                        created_at: at(0),
                        updated_at: at(0),
                        last_synced_at: None,
                    };
                    tenant::insert(tx, &tenant)?;
                }
                for (subject, namespace) in [("shared", "ptn_a"), ("own", "tnt_a")] {
                    let plan = Plan { kind: "k", subject, tenant_id: "tnt_a", namespace, run_at: at(0) };
                    job::plan(tx, &plan, at(0))?;
                }
                job::hand_over(tx, "tnt_a", "ptn_a")?;
                job::delete_all(tx, "tnt_a")?;
                let left = job::due(tx, "k", at(0), 10)?;
                assert_eq!(left.len(), 1);
                assert_eq!((left[0].key.subject.as_str(), left[0].tenant_id.as_str()), ("shared", "tnt_c"));
                Ok(())
            })
            .await
            .unwrap();
    }
}
