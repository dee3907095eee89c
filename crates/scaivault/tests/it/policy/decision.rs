//! Scope, role, rules (L-1 to L-4, L-18, L-19).

use rstest::rstest;
use scaivault_testkit::{Answer, TestApp};
use serde_json::json;

use super::{SECRETS, conditional, secret};

#[tokio::test]
async fn l_1_without_a_binding_present_and_absent_are_denied_alike() {
    let app = TestApp::new().await;
    secret(&app, "is/there").await;
    let stranger = app.user("stranger", &SECRETS, &[]).await;
    for path in ["is/there", "is/not"] {
        let denied = stranger.get(&format!("/v1/secrets/{path}")).await.expect_error(403, "access_denied");
        assert_eq!(denied.details(), json!({"path": path, "permission": "read"}));
    }
}

#[tokio::test]
async fn l_2_a_rule_below_a_path_does_not_reach_the_path() {
    let app = TestApp::new().await;
    secret(&app, "app").await;
    secret(&app, "app/db").await;
    let mia = app.user("mia", &SECRETS, &[("app/**", &["read"])]).await;
    mia.get("/v1/secrets/app").await.expect_error(403, "access_denied");
    mia.get("/v1/secrets/app/db").await.expect(200);
    mia.get("/v1/secrets/app/db/x").await.expect_error(404, "secret_not_found");
    mia.get("/v1/secrets/App/db").await.expect_error(403, "access_denied");
}

#[tokio::test]
async fn l_3_a_rule_to_list_shows_and_does_not_open() {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    secret(&app, "other").await;
    let mia = app.user("mia", &SECRETS, &[("app/**", &["list"])]).await;
    let list = mia.get("/v1/secrets").await.expect(200).json();
    assert_eq!((&list["total_count"], &list["secrets"][0]["path"]), (&json!(1), &json!("app/db")));
    mia.get("/v1/secrets/app/db").await.expect_error(403, "access_denied");
    mia.get("/v1/secrets/metadata/app/db").await.expect(200);
    mia.get("/v1/secrets/app/db/versions").await.expect(200);
}

#[tokio::test]
async fn l_4_one_policy_that_holds_is_enough() {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let elsewhere =
        json!({"path_pattern": "app/**", "permissions": ["read"], "conditions": {"ip_ranges": ["10.0.0.0/8"]}});
    conditional(&app, "elsewhere", &mia.id, elsewhere).await;
    mia.get("/v1/secrets/app/db").await.expect_error(403, "ip_not_allowed");
    conditional(&app, "anywhere", &mia.id, json!({"path_pattern": "app/*", "permissions": ["read"]})).await;
    mia.get("/v1/secrets/app/db").await.expect(200);
}

#[tokio::test]
async fn l_4_one_rule_of_a_policy_that_holds_is_enough() {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    let mia = app.user("mia", &SECRETS, &[("x", &["read"]), ("app/db", &["write"]), ("app/**", &["read"])]).await;
    mia.get("/v1/secrets/app/db").await.expect(200);
}

/// What every kind of access answers when it is allowed; nothing of it changes anything.
async fn probe(actor: &scaivault_testkit::Actor<'_>, permission: &str) -> Answer {
    let path = "/v1/secrets/app/db";
    match permission {
        "read" => actor.get(path).await,
        "write" => actor.patch(path, json!({})).await,
        "delete" => actor.delete(path).header("if-match", "\"99\"").await,
        "list" => actor.get("/v1/secrets/metadata/app/db").await,
        "rotate" => actor.post(&format!("{path}/rotate"), json!({"generate": true})).header("if-match", "\"99\"").await,
        "admin" => actor.get(&format!("{path}?include_retired=true")).await,
        other => panic!("{other}"),
    }
}

#[rstest]
#[case(&["admin"], &["read", "write", "delete", "list", "rotate", "admin"])]
#[case(&["read"], &["read", "list"])]
#[case(&["write"], &["write"])]
#[case(&["delete"], &["delete"])]
#[case(&["list"], &["list"])]
#[case(&["rotate"], &["rotate"])]
#[case(&["write", "delete"], &["write", "delete"])]
#[tokio::test]
async fn l_18_admin_includes_all_and_nothing_else_includes_anything(#[case] granted: &[&str], #[case] opens: &[&str]) {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    let mia = app.user("mia", &SECRETS, &[("app/db", granted)]).await;
    for permission in ["read", "write", "delete", "list", "rotate", "admin"] {
        let answer = probe(&mia, permission).await;
        let denied = answer.status == 403;
        assert_eq!(denied, !opens.contains(&permission), "{granted:?} for {permission}: {}", answer.text());
    }
}

#[rstest]
#[case("read", "secrets:read")]
#[case("write", "secrets:write")]
#[case("delete", "secrets:delete")]
#[case("rotate", "secrets:rotate")]
#[tokio::test]
async fn l_19_the_permission_without_the_scope_is_not_enough(#[case] permission: &str, #[case] scope: &str) {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    let others: Vec<&str> = SECRETS.into_iter().filter(|other| *other != scope).collect();
    let mia = app.user("mia", &others, &[("**", &["admin"])]).await;
    let refused = probe(&mia, permission).await.expect_error(403, "insufficient_scope");
    assert_eq!(refused.details()["required"], json!([scope]));
    // Nor is the role.
    crate::identity::set_roles(&app.root(), &mia.id, &["tenant_admin"]).await;
    probe(&mia, permission).await.expect_error(403, "insufficient_scope");
}

#[tokio::test]
async fn a_denial_says_nothing_of_policies_and_is_audited() {
    let app = TestApp::new().await;
    let mia = app.user("mia", &SECRETS, &[]).await;
    let rule = json!({"path_pattern": "app/**", "permissions": ["read"], "conditions": {"ip_ranges": ["10.0.0.0/8"]}});
    let policy = conditional(&app, "telling-name", &mia.id, rule).await;
    let denied = mia.get("/v1/secrets/app/db").await.expect_error(403, "ip_not_allowed");
    assert!(!denied.text().contains(&policy) && !denied.text().contains("telling-name"));
    assert_eq!(denied.details()["failed_condition"], "ip_ranges");
    let id = denied.header("x-request-id").unwrap();
    let logs = app.root().get(&format!("/v1/audit/logs?request_id={id}")).await.expect(200).json();
    let entry = &logs["logs"][0];
    assert_eq!(
        (&entry["success"], &entry["error_code"], &entry["secret_path"]),
        (&json!(false), &json!("ip_not_allowed"), &json!("app/db"))
    );
}

#[tokio::test]
async fn roles_need_no_rule_and_no_condition() {
    let app = TestApp::new().await;
    secret(&app, "app/db").await;
    let rule = json!({"path_pattern": "**", "permissions": ["read"], "conditions": {"require_mfa": true}});
    for role in ["tenant_admin", "partner_admin", "super_admin"] {
        let actor = crate::identity::holder(&app, "tnt_default", &[role]).await;
        conditional(&app, role, &actor.id, rule.clone()).await;
        for permission in ["read", "write", "list", "admin"] {
            probe(&actor, permission).await.expect(200);
        }
    }
}
