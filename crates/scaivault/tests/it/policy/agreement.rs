//! The dry run and the real request agree (L-14).

use scaivault_testkit::{Actor, Answer, TestApp};
use serde_json::{Value, json};

use super::{SECRETS, rules};
use crate::identity::{HOME, group_in, id_of, join, set_roles};

const PATHS: [&str; 8] = ["a", "b", "a/b", "a/c", "b/a", "a/b/c", "b/b/b", "c/a.b"];
const PATTERNS: [&str; 10] = ["a", "*", "a/*", "a/**", "**", "**/b", "a/?", "b/**/b", "?/*", "c/*.b"];
const PERMISSIONS: [&str; 6] = ["read", "write", "delete", "list", "rotate", "admin"];
const ADDRESSES: [&str; 3] = ["10.1.2.3", "127.0.0.1", "2001:db8::1"];

/// Repeatable, so that a failure can be looked at.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn conditions(&mut self) -> Value {
        match self.below(6) {
            0 => json!({"ip_ranges": ["10.0.0.0/8"]}),
            1 => json!({"ip_ranges": ["2001:db8::/32", "127.0.0.1/32"]}),
            2 => json!({"require_mfa": true}),
            3 => json!({"time_window": {"days": ["fri"], "start": "09:00", "end": "11:00"}}),
            4 => json!({"time_window": {"days": ["sat"], "start": "00:00", "end": "00:00"}, "require_mfa": true}),
            _ => json!({}),
        }
    }

    fn rule(&mut self) -> Value {
        let permissions: Vec<&str> = (0..=self.below(2)).map(|_| self.of(&PERMISSIONS)).collect();
        let mut rule = rules(self.of(&PATTERNS), &permissions)[0].clone();
        rule["conditions"] = self.conditions();
        rule
    }
}

/// The real request that needs just this permission and changes nothing when it is allowed.
async fn real(actor: &Actor<'_>, path: &str, permission: &str) -> Answer {
    let target = format!("/v1/secrets/{path}");
    match permission {
        "read" => actor.get(&target).await,
        "write" => actor.patch(&target, json!({})).await,
        "delete" => actor.delete(&target).header("if-match", "\"99\"").await,
        "rotate" => {
            let body = json!({"generate": true});
            actor.post(&format!("{target}/rotate"), body).header("if-match", "\"99\"").await
        }
        "admin" => actor.get(&format!("{target}?include_retired=true")).await,
        other => panic!("{other}"),
    }
}

/// Listing never answers 403: what may not be listed is not there.
async fn listed(actor: &Actor<'_>, path: &str) -> bool {
    let list = actor.get(&format!("/v1/secrets?prefix={path}")).await.expect(200).json();
    list["secrets"].as_array().unwrap().iter().any(|secret| secret["path"] == path)
}

/// Users with random policies, bound directly, through a group and through nesting.
async fn population<'a>(app: &'a TestApp, dice: &mut Dice) -> Vec<Actor<'a>> {
    let root = app.root();
    let mut actors = Vec::new();
    for n in 0..6 {
        actors.push(app.user(&format!("u{n}"), &SECRETS, &[]).await);
    }
    let (inner, outer) = (group_in(app, HOME, "inner").await, group_in(app, HOME, "outer").await);
    join(app, &outer, &inner).await;
    join(app, &inner, &actors[0].id).await;
    join(app, &outer, &actors[1].id).await;
    for n in 0..10 {
        let rules: Vec<Value> = (0..=dice.below(3)).map(|_| dice.rule()).collect();
        let body = json!({"name": format!("p{n}"), "rules": rules, "is_active": dice.below(6) > 0});
        let id = id_of(&root.post("/v1/policies", body).await.expect(201).json());
        let bindings = format!("/v1/policies/{id}/bindings");
        // The last user has none.
        for _ in 0..2 {
            let user = actors[dice.below(5)].id.clone();
            let at = if dice.below(4) == 0 { json!("2026-05-01T10:00:30Z") } else { Value::Null };
            root.post(&bindings, json!({"identity_type": "user", "identity_id": user, "expires_at": at})).await;
        }
        if dice.below(2) == 0 {
            let group = dice.of(&[&inner, &outer]);
            root.post(&bindings, json!({"identity_type": "group", "identity_id": group})).await.expect(201);
        }
    }
    // Some of the bindings are over.
    app.clock.advance(60);
    let admin = app.user("admin", &SECRETS, &[]).await;
    set_roles(&root, &admin.id, &["tenant_admin"]).await;
    actors.push(admin);
    actors
}

#[tokio::test]
async fn l_14_the_dry_run_says_what_the_request_gets() {
    let (mut allowed, mut denied) = (0, 0);
    for seed in 1..=4 {
        let app = TestApp::new().await;
        let root = app.root();
        for path in PATHS {
            root.put(&format!("/v1/secrets/{path}"), json!({"data": {"password": "x"}})).await.expect(201);
        }
        let mut dice = Dice(seed);
        let actors = population(&app, &mut dice).await;
        for _ in 0..120 {
            let actor = &actors[dice.below(actors.len())];
            let (path, permission, address) = (dice.of(&PATHS), dice.of(&PERMISSIONS), dice.of(&ADDRESSES));
            let question = json!({"identity_id": actor.identity_id, "path": path, "permission": permission,
                "context": {"source_ip": address, "mfa_verified": false}});
            let told = root.post("/v1/policies/test", question.clone()).await.expect(200).json();
            let what = format!("seed {seed}: {question} is told {told}");
            let there = actor.clone().from_address(address);
            if permission == "list" {
                assert_eq!(told["allowed"], listed(&there, path).await, "{what}");
            } else {
                let answer = real(&there, path, permission).await;
                assert_eq!(told["allowed"], answer.status != 403, "{what}, gets {}", answer.text());
                if answer.status == 403 {
                    assert_eq!(told["reason"], answer.json()["error"]["code"], "{what}");
                    assert_eq!(told["failed_condition"], answer.details()["failed_condition"], "{what}");
                }
            }
            if told["allowed"] == true { allowed += 1 } else { denied += 1 }
        }
    }
    assert!(allowed > 80 && denied > 80, "the dice were lopsided: {allowed} allowed, {denied} denied");
}
