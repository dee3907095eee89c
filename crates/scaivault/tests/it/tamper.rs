//! Somebody changes the raw database: what was moved does not open, and nothing is disclosed.

use scaivault_testkit::{Actor, Cell, Raw, TestApp};
use serde_json::{Value, json};

/// Asks the key provider and the database each time, so that no cache hides what is wrong.
async fn app() -> TestApp {
    TestApp::builder().settings(|settings| settings.key_cache_ttl_seconds = 0).start().await
}

/// Exchanges `columns` of the two rows of `table` that the conditions name. Doing it again undoes it.
fn exchange(raw: &Raw, table: &str, columns: &[&str], one: &str, other: &str) {
    let read = |rows: &str| {
        let mut found = raw.rows(&format!("SELECT {} FROM {table} WHERE {rows}", columns.join(", ")));
        assert_eq!(found.len(), 1, "{rows}");
        found.remove(0)
    };
    let (first, second) = (read(one), read(other));
    let write = |rows: &str, values: &[Cell]| {
        let set = columns.iter().zip(values).map(|(column, value)| format!("{column} = {}", value.literal()));
        let sql = format!("UPDATE {table} SET {} WHERE {rows}", set.collect::<Vec<_>>().join(", "));
        assert_eq!(raw.execute(&sql), 1, "{sql}");
    };
    write(one, &second);
    write(other, &first);
}

/// The value is not told, the client learns nothing, and the attempt is in the trail.
async fn does_not_open(root: &Actor<'_>, tenant: &str, target: &str) {
    let refused = root
        .get(target)
        .in_tenant(tenant)
        .header("cache-control", "no-cache")
        .await
        .expect_error(500, "internal_error");
    assert_eq!(refused.details(), Value::Null);
    let id = refused.header("x-request-id").unwrap();
    let trail = root.get(&format!("/v1/audit/logs?request_id={id}")).in_tenant(tenant).await.expect(200).json();
    let entry = &trail["logs"][0];
    assert_eq!((&entry["action"], &entry["success"]), (&json!("read"), &json!(false)));
    assert_eq!((&entry["status_code"], &entry["error_code"]), (&json!(500), &json!("internal_error")));
}

async fn value(root: &Actor<'_>, tenant: &str, target: &str) -> Value {
    let read = root.get(target).in_tenant(tenant).header("cache-control", "no-cache").await.expect(200).json();
    read["data"]["k"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn y_3_keys_of_two_tenants_exchanged_open_nothing() {
    let app = app().await;
    let root = app.root();
    let other = app.tenant("Other").await;
    let tenants = ["tnt_default", other.as_str()];
    for tenant in tenants {
        root.put("/v1/secrets/a", json!({"data": {"k": app.canary()}})).in_tenant(tenant).await.expect(201);
    }
    let raw = app.raw();
    let key_of = |tenant: &str| format!("level = 'tenant' AND owner_id = '{tenant}'");
    let id_of = |tenant: &str| raw.one(&format!("SELECT key_id FROM wrapped_key WHERE {}", key_of(tenant)));
    let rows = tenants.map(|tenant| format!("key_id = {}", id_of(tenant).literal()));
    for columns in [&["wrapped"], &["owner_id"]] {
        exchange(&raw, "wrapped_key", columns, &rows[0], &rows[1]);
        for tenant in tenants {
            does_not_open(&root, tenant, "/v1/secrets/a").await;
            let unwritten = root.put("/v1/secrets/b", json!({"data": {"k": app.canary()}})).in_tenant(tenant).await;
            unwritten.expect_error(500, "internal_error");
        }
        exchange(&raw, "wrapped_key", columns, &rows[0], &rows[1]);
        for tenant in tenants {
            assert_eq!(value(&root, tenant, "/v1/secrets/a").await, app.canary());
            root.get("/v1/secrets/b").in_tenant(tenant).await.expect_error(404, "secret_not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn y_3_keys_of_two_partners_exchanged_open_nothing() {
    let app = app().await;
    let root = app.root();
    let partner = app.partner("Second").await;
    let tenant = app.tenant_of(&partner, "Theirs").await;
    for tenant in ["tnt_default", &tenant] {
        root.put("/v1/secrets/a", json!({"data": {"k": app.canary()}})).in_tenant(tenant).await.expect(201);
    }
    let raw = app.raw();
    let key_of = |partner: &str| format!("level = 'partner' AND owner_id = '{partner}'");
    let undo = || exchange(&raw, "wrapped_key", &["wrapped"], &key_of("ptn_default"), &key_of(&partner));
    undo();
    for tenant in ["tnt_default", &tenant] {
        does_not_open(&root, tenant, "/v1/secrets/a").await;
    }
    undo();
    assert_eq!(value(&root, &tenant, "/v1/secrets/a").await, app.canary());
}

#[tokio::test(flavor = "multi_thread")]
async fn y_3_ciphertexts_of_two_versions_exchanged_do_not_open() {
    let app = app().await;
    let root = app.root();
    for number in [1, 2] {
        let data = json!({"data": {"k": format!("{}-{number}", app.canary())}});
        root.put("/v1/secrets/a", data).await.expect(if number == 1 { 201 } else { 200 });
    }
    let raw = app.raw();
    for columns in [&["ciphertext"][..], &["data_key"], &["data_key", "ciphertext"]] {
        exchange(&raw, "secret_version", columns, "version = 1", "version = 2");
        for target in ["/v1/secrets/a?version=1", "/v1/secrets/a?version=2", "/v1/secrets/a"] {
            does_not_open(&root, "tnt_default", target).await;
        }
        exchange(&raw, "secret_version", columns, "version = 1", "version = 2");
        assert_eq!(value(&root, "tnt_default", "/v1/secrets/a").await, format!("{}-2", app.canary()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn y_3_rows_of_two_secrets_exchanged_do_not_open() {
    let app = app().await;
    let root = app.root();
    let other = app.tenant("Other").await;
    for (tenant, path) in [("tnt_default", "a"), ("tnt_default", "b"), (&other, "a")] {
        let data = json!({"data": {"k": app.canary()}});
        root.put(&format!("/v1/secrets/{path}"), data).in_tenant(tenant).await.expect(201);
    }
    let raw = app.raw();
    let id = |tenant: &str, path: &str| -> String {
        let sql = format!("SELECT id FROM secret WHERE namespace = '{tenant}' AND path = '{path}'");
        raw.one(&sql).text().unwrap()
    };
    let (a, b, theirs) = (id("tnt_default", "a"), id("tnt_default", "b"), id(&other, "a"));
    let rename = |column: &str, id: &str, to: &str| {
        assert_eq!(raw.execute(&format!("UPDATE secret SET {column} = '{to}' WHERE id = '{id}'")), 1);
    };
    // Ids: each row now has the other's versions.
    let exchange_ids = || {
        rename("id", &a, "sec_between");
        rename("id", &b, &a);
        rename("id", "sec_between", &b);
    };
    exchange_ids();
    for path in ["a", "b"] {
        does_not_open(&root, "tnt_default", &format!("/v1/secrets/{path}")).await;
    }
    exchange_ids();
    // Paths: who may read one would get the other.
    let exchange_paths = |of_a: &str, of_b: &str| {
        rename("path", &a, "between");
        rename("path", &b, of_b);
        rename("path", &a, of_a);
    };
    exchange_paths("b", "a");
    for path in ["a", "b"] {
        does_not_open(&root, "tnt_default", &format!("/v1/secrets/{path}")).await;
    }
    exchange_paths("a", "b");
    // Tenants: the same path, in another's namespace.
    let exchange_tenants = |of_a: &str, of_theirs: &str| {
        rename("namespace", &a, "tnt_between");
        rename("namespace", &theirs, of_theirs);
        rename("namespace", &a, of_a);
    };
    exchange_tenants(&other, "tnt_default");
    for tenant in ["tnt_default", &other] {
        does_not_open(&root, tenant, "/v1/secrets/a").await;
    }
    exchange_tenants("tnt_default", &other);
    for (tenant, path) in [("tnt_default", "a"), ("tnt_default", "b"), (&other, "a")] {
        assert_eq!(value(&root, tenant, &format!("/v1/secrets/{path}")).await, app.canary());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn y_3_kept_answers_of_two_requests_exchanged_do_not_open() {
    let app = app().await;
    let root = app.root();
    let put = |path: &str| {
        let call = root.put(&format!("/v1/secrets/{path}"), json!({"data": {"k": 1}}));
        call.header("idempotency-key", format!("key-{path}"))
    };
    put("a").await.expect(201);
    put("b").await.expect(201);
    let raw = app.raw();
    let keys = raw.column("SELECT request_key FROM idempotency");
    let rows: Vec<String> = keys.iter().map(|key| format!("request_key = {}", key.literal())).collect();
    let undo = || exchange(&raw, "idempotency", &["reply"], &rows[0], &rows[1]);
    undo();
    put("a").await.expect_error(500, "internal_error");
    undo();
    assert_eq!(put("a").await.expect(201).header("idempotent-replayed"), Some("true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn u_3_without_the_trail_nothing_is_disclosed_and_nothing_changes() {
    let app = app().await;
    let root = app.root();
    let stranger = app.user("stranger", &["secrets:read"], &[]).await;
    root.put("/v1/secrets/a", json!({"data": {"k": app.canary()}})).await.expect(201);
    root.get("/v1/secrets/a").await.expect(200);
    let raw = app.raw();
    for &how in raw.refusals() {
        raw.refuse("audit_entry", "INSERT", "", how);
        let no_trail = |answer: scaivault_testkit::Answer| {
            let refused = answer.expect_error(503, "service_unavailable");
            assert_eq!((&refused.details()["reason"], refused.header("retry-after")), (&json!("audit"), Some("5")));
        };
        // Checked for every error: it does not hold the canary.
        no_trail(root.get("/v1/secrets/a").await);
        no_trail(root.get("/v1/secrets/a").header("cache-control", "no-cache").await);
        no_trail(root.get("/v1/secrets").await);
        no_trail(root.post("/v1/secrets/batch", json!({"paths": ["a", "none"]})).await);
        no_trail(root.post("/v1/secrets/batch/metadata", json!({"paths": ["a"]})).await);
        no_trail(stranger.get("/v1/secrets/a").await);
        no_trail(root.get("/v1/secrets/a%20b").await);
        no_trail(app.with_token("scv_nonsense").get("/v1/secrets/a").await);
        let changes = [
            root.put("/v1/secrets/a", json!({"data": {"k": 2}})),
            root.put("/v1/secrets/new", json!({"data": {"k": 2}})),
            root.delete("/v1/secrets/a"),
            root.post("/v1/identity/tenants", json!({"partner_id": "ptn_default", "name": "New"})),
        ];
        for change in changes {
            let refused = change.await.expect_error(503, "service_unavailable");
            let reason = refused.details()["reason"].clone();
            // An engine that gave the whole transaction up does not say which statement was to blame.
            assert!(reason == "audit" || (how == "ROLLBACK" && reason == "storage"), "{how}: {reason}");
        }
        app.anonymous().get("/v1/health").await.expect(200);
        raw.allow("audit_entry");

        app.anonymous().get("/v1/health/ready").await.expect(200);
        let read = root.get("/v1/secrets/a").header("cache-control", "no-cache").await.expect(200).json();
        assert_eq!((&read["version"], &read["data"]["k"]), (&json!(1), &json!(app.canary())));
        root.get("/v1/secrets/new").await.expect_error(404, "secret_not_found");
        let tenants = root.get("/v1/identity/tenants").await.expect(200).json();
        assert_eq!(tenants["tenants"].as_array().unwrap().len(), 1);
    }
    root.put("/v1/secrets/a", json!({"data": {"k": 2}})).await.expect(200);
    assert_eq!(root.get("/v1/audit/verify").await.expect(200).json()["valid"], true);
}
