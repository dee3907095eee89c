//! `/v1/audit`: the edge cases of contract 06 section 5.

use scaivault_testkit::TestApp;
use serde_json::{Value, json};

fn actions(answer: &Value) -> Vec<&str> {
    answer["logs"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn u_2_a_request_id_finds_its_entry() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/app/db", json!({"data": {"k": 1}})).await.expect(201);
    let read = root.get("/v1/secrets/app/db").header("user-agent", "odd \"agent\"").await.expect(200);
    let id = read.header("x-request-id").unwrap();
    let found = root.get(&format!("/v1/audit/logs?request_id={id}")).await.expect(200).json();
    let logs = found["logs"].as_array().unwrap();
    assert_eq!(logs.len(), 1);
    let entry = &logs[0];
    assert_eq!(entry["action"], "read");
    assert_eq!(entry["secret_path"], "app/db");
    assert_eq!(entry["identity_id"], "user:admin@localhost");
    assert_eq!(entry["identity_type"], "user");
    assert_eq!(entry["success"], true);
    assert_eq!(entry["user_agent"], "odd \"agent\"");
    assert_eq!(entry["extra_data"]["version"], 1);
    assert_eq!(entry["target_tenant_id"], "tnt_default");
    assert_eq!(entry["error_code"], Value::Null);
    // An exported entry proves its own hash.
    let hash = scaivault_domain::audit::hash_of_exported(entry).unwrap();
    assert_eq!(entry["hash"], scaivault_crypto::digest::hex(&hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn u_10_actions_filter() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/a", json!({"data": {"k": 1}})).await.expect(201);
    root.get("/v1/secrets/a").await.expect(200);
    root.get("/v1/secrets?prefix=a").await.expect(200);
    let both = root.get("/v1/audit/logs?action=read,write").await.expect(200).json();
    assert_eq!(actions(&both), ["read", "write"]);
    assert_eq!((&both["has_more"], &both["cursor"]), (&json!(false), &Value::Null));
    root.get("/v1/audit/logs?action=foo").await.expect_fault("action", "format");
    root.get("/v1/audit/logs?limit=1001").await.expect_fault("limit", "range");
    root.get("/v1/audit/logs?limit=1000").await.expect(200);
    root.get("/v1/audit/logs?foo=1").await.expect_fault("foo", "unknown");
    root.get("/v1/audit/logs?success=yes").await.expect_fault("success", "type");
    root.get("/v1/audit/logs?identity_id=mia").await.expect_fault("identity_id", "format");
    root.get("/v1/audit/logs?identity_type=group").await.expect_fault("identity_type", "format");
    root.get("/v1/audit/logs?source_ip=here").await.expect_fault("source_ip", "format");
    root.get("/v1/audit/logs?path_prefix=a%20b").await.expect_error(400, "invalid_path");
    let (from, to) = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
    root.get(&format!("/v1/audit/logs?from={to}&to={from}")).await.expect_fault("to", "range");
    root.get(&format!("/v1/audit/logs?from={from}&to={from}")).await.expect_fault("to", "range");
    let day = root.get(&format!("/v1/audit/logs?from={from}&to={to}&action=write")).await.expect(200).json();
    assert_eq!(actions(&day), ["write"]);
    let failed = root.get("/v1/audit/logs?success=false&limit=1").await.expect(200).json();
    assert_eq!(failed["logs"][0]["error_code"], "validation_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_keeps_its_filter_and_its_place() {
    let app = TestApp::new().await;
    let root = app.root();
    for n in 0..5 {
        root.put(&format!("/v1/secrets/walk/{n}"), json!({"data": {"k": n}})).await.expect(201);
    }
    let first = root.get("/v1/audit/logs?action=write&limit=2").await.expect(200).json();
    assert_eq!(first["has_more"], true);
    root.put("/v1/secrets/walk/later", json!({"data": {"k": 1}})).await.expect(201);
    let cursor = first["cursor"].as_str().unwrap();
    let second = root.get(&format!("/v1/audit/logs?limit=10&cursor={cursor}")).await.expect(200).json();
    let paths: Vec<&str> =
        second["logs"].as_array().unwrap().iter().map(|entry| entry["secret_path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["walk/2", "walk/1", "walk/0"]);
    root.get(&format!("/v1/audit/logs?action=read&cursor={cursor}")).await.expect_error(400, "invalid_cursor");
    root.get(&format!("/v1/audit/checkpoints?cursor={cursor}")).await.expect_error(400, "invalid_cursor");
    root.get("/v1/audit/logs?cursor=x").await.expect_error(400, "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_identities_have_their_trail() {
    let app = TestApp::new().await;
    let root = app.root();
    root.put("/v1/secrets/app/db", json!({"data": {"k": 1}})).await.expect(201);
    root.get("/v1/secrets/app/db").await.expect(200);
    let trail = root.get("/v1/audit/secrets/app/db?limit=1").await.expect(200).json();
    assert_eq!(trail["secret_path"], "app/db");
    let summary = &trail["summary_30d"];
    assert_eq!((&summary["reads"], &summary["writes"], &summary["denied"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(summary["last_accessed_at"], "2026-05-01T10:00:00.000000Z");
    assert_eq!((actions(&trail), &trail["has_more"]), (vec!["read"], &json!(true)));
    let absent = root.get("/v1/audit/secrets/never/there").await.expect(200).json();
    assert_eq!((&absent["summary_30d"]["last_accessed_at"], &absent["logs"]), (&Value::Null, &json!([])));
    root.get("/v1/audit/secrets/a/versions").await.expect_error(400, "invalid_path");

    let admin = root.get("/v1/audit/identities/user:admin@localhost").await.expect(200).json();
    assert_eq!(admin["identity_id"], "user:admin@localhost");
    assert_eq!(admin["summary"]["unique_secrets"], 1);
    root.get("/v1/audit/identities/usr_nobody").await.expect_error(404, "identity_not_found");
    root.get("/v1/audit/identities/nobody").await.expect_error(404, "identity_not_found");

    let summary = root.get("/v1/audit/summary").await.expect(200).json();
    assert_eq!(summary["by_action"]["write"], 1);
    assert_eq!(
        summary["total_events"].as_i64(),
        summary["by_action"].as_object().map(|by| by.values().filter_map(Value::as_i64).sum())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_is_verified_and_signed() {
    let app = TestApp::new().await;
    let root = app.root();
    for n in 0..10 {
        root.put(&format!("/v1/secrets/chain/{n}"), json!({"data": {"k": n}})).await.expect(201);
    }
    app.vault.write_checkpoints(true).await.unwrap();
    let report = root.get("/v1/audit/verify").await.expect(200).json();
    assert_eq!(
        report,
        json!({"valid": true, "stream": "tnt_default", "from_seq": 1, "to_seq": 10, "entries": 10, "checkpoints_verified": 1,
               "first_invalid_seq": null, "reason": null})
    );
    root.get("/v1/audit/verify?from_seq=3&to_seq=2").await.expect_fault("to_seq", "range");
    root.get("/v1/audit/verify?from_seq=0").await.expect_fault("from_seq", "range");
    let part = root.get("/v1/audit/verify?from_seq=3&to_seq=5").await.expect(200).json();
    assert_eq!((&part["entries"], &part["from_seq"], &part["to_seq"]), (&json!(3), &json!(3), &json!(5)));
    let signed = root.get("/v1/audit/checkpoints").await.expect(200).json();
    assert_eq!(
        (&signed["checkpoints"][0]["seq"], &signed["checkpoints"][0]["stream"]),
        (&json!(10), &json!("tnt_default"))
    );
    app.anonymous().get("/v1/secrets/a").header("authorization", "Bearer nonsense").await.expect(401);
    let system = root.get("/v1/audit/logs?stream=system").await.expect(200).json();
    assert_eq!(actions(&system), ["auth_failure"]);
    assert_eq!(system["logs"][0]["identity_id"], Value::Null);
    root.get("/v1/audit/logs?stream=tnt_default").await.expect_fault("stream", "format");
}

#[tokio::test(flavor = "multi_thread")]
async fn u_6_tampering_shows() {
    let mut app = TestApp::new().await;
    app.expect_damage();
    let root = app.root();
    for n in 0..5 {
        root.put(&format!("/v1/secrets/chain/{n}"), json!({"data": {"k": n}})).await.expect(201);
    }
    app.raw().execute("UPDATE audit_entry SET secret_path = 'chain/x' WHERE seq = 3");
    let report = root.get("/v1/audit/verify").await.expect(200).json();
    assert_eq!((&report["valid"], &report["first_invalid_seq"]), (&json!(false), &json!(3)));
    assert_eq!(report["reason"], "hash_mismatch");
}

/// A header can't hold a line break (the parser refuses it), but everything else that tears logs apart.
#[tokio::test(flavor = "multi_thread")]
async fn u_9_a_user_agent_comes_back_escaped_and_whole() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("audit.jsonl");
    let app = TestApp::builder().settings(|settings| settings.audit_log_file = Some(log.clone())).start().await;
    let root = app.root();
    root.put("/v1/secrets/a", json!({"data": {"k": 1}})).await.expect(201);
    let agents: [(&[u8], &str); 5] = [
        (b"a \"quoted\" \\ agent", "a \"quoted\" \\ agent"),
        (b"tab\there", "tab\there"),
        (b"\"}\\n{\"action\":\"forged\"", "\"}\\n{\"action\":\"forged\""),
        ("gr\u{fc}n \u{2028} \u{1f511}".as_bytes(), "gr\u{fc}n \u{2028} \u{1f511}"),
        // obs-text that is no UTF-8: what can't be told is marked, the rest stays.
        (b"latin\xe9 end", "latin\u{fffd} end"),
    ];
    for (sent, kept) in agents {
        let read = root.get("/v1/secrets/a").header("user-agent", sent).await.expect(200);
        let id = read.header("x-request-id").unwrap();
        let found = root.get(&format!("/v1/audit/logs?request_id={id}")).await.expect(200);
        assert!(!found.text().contains('\t') && !found.text().contains('\n'), "{}", found.text());
        let found = found.json();
        assert_eq!((found["logs"].as_array().unwrap().len(), &found["logs"][0]["user_agent"]), (1, &json!(kept)));
        let hash = scaivault_domain::audit::hash_of_exported(&found["logs"][0]).unwrap();
        assert_eq!(found["logs"][0]["hash"], scaivault_crypto::digest::hex(&hash));
    }
    app.vault.shut_down().await;
    let lines = std::fs::read_to_string(&log).unwrap();
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let logged: Vec<&str> = entries.iter().filter_map(|entry| entry["user_agent"].as_str()).collect();
    assert_eq!(logged, agents.map(|(_, kept)| kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn u_11_the_scope_is_needed() {
    let app = TestApp::new().await;
    let (owner, ..) = app.actors().await;
    for route in ["logs", "secrets/a", "identities/sa:crm", "summary", "verify", "checkpoints"] {
        owner.get(&format!("/v1/audit/{route}")).await.expect_error(403, "insufficient_scope");
    }
    let auditor = app.user("auditor", &["audit:read"], &[]).await;
    auditor.get("/v1/audit/logs").await.expect(200);
    auditor.get("/v1/audit/logs?stream=system").await.expect_error(403, "forbidden");
    // Either form of the id, the answer in the public one.
    let trail = auditor.get(&format!("/v1/audit/identities/{}", owner.id)).await.expect(200).json();
    assert_eq!(trail["identity_id"], owner.identity_id.as_str());
    assert_eq!(trail["summary"]["denied"], 6);
    let filtered = auditor.get(&format!("/v1/audit/logs?identity_id={}&limit=1", owner.id)).await.expect(200).json();
    assert_eq!(filtered["logs"][0]["identity_id"], owner.identity_id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn u_5_entries_lie_where_they_took_effect() {
    let app = TestApp::new().await;
    let other = app.tenant("Other").await;
    let root = app.root();
    root.put("/v1/secrets/there", json!({"data": {"k": 1}})).in_tenant(&other).await.expect(201);
    let there = root.get(&format!("/v1/t/{other}/audit/logs?action=write")).await.expect(200).json();
    let entry = &there["logs"][0];
    assert_eq!((&entry["tenant_id"], &entry["target_tenant_id"]), (&json!(other), &json!(other)));
    assert_eq!(
        (&entry["acting_tenant_id"], &entry["acting_partner_id"]),
        (&json!("tnt_default"), &json!("ptn_default"))
    );
    let home = root.get("/v1/audit/logs?action=write").await.expect(200).json();
    assert_eq!(actions(&home), Vec::<&str>::new());
}
