//! `scaivault policies`, `rotation policies`, `secret-policies`: each command once.

use serde_json::json;

use super::Bench;

#[test]
fn policies_are_made_bound_tested_and_ended() {
    let bench = Bench::start();
    let stranger = bench.stranger("secrets:read");
    bench.ok("secrets write app/db k=v");
    let made = bench.json("policies create --name readers --path app/** --permission read --permission list");
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["rules"][0]["permissions"], json!(["read", "list"]));
    let file =
        bench.file("policy.json", r#"{"name":"from-file","rules":[{"path_pattern":"x/**","permissions":["read"]}]}"#);
    let from_file = bench.cli().words("policies create --json --name renamed --file").arg(file).ok();
    assert!(from_file.contains(r#""name":"renamed""#), "{from_file}");
    bench.cli().words("policies create").fails(5);

    let ask = "policies test --identity sa:stranger --path app/db --permission read";
    assert_eq!(bench.json(ask)["allowed"], false);
    let binding = bench.json(&format!("policies bind {id} --identity sa:stranger"));
    assert_eq!(binding["identity_type"], "service_account");
    assert_eq!(bench.json(ask)["allowed"], true);
    bench.nobody().var("SCAIVAULT_TOKEN", &stranger).words("secrets read app/db").ok();
    assert!(bench.ok(&format!("policies get {id}")).contains("rules[0].path_pattern"));
    assert!(bench.ok("policies list").contains("readers"));

    bench.ok(&format!("policies update {id} --active false"));
    bench.nobody().var("SCAIVAULT_TOKEN", &stranger).words("secrets read app/db").fails(3);
    assert!(bench.cli().words(&format!("policies delete {id}")).fails(1).contains("--force"));
    bench.ok(&format!("policies unbind {id} {}", binding["id"].as_str().unwrap()));
    assert_eq!(bench.ok(&format!("policies delete {id}")), format!("{id} is deleted\n"));
    bench.cli().words(&format!("policies get {id}")).fails(4);
}

#[test]
fn rotation_policies_are_made_attached_and_ended() {
    let bench = Bench::start();
    bench.ok("secrets write app/db password=x");
    let made = bench.json("rotation policies create --name quarterly --interval 90d --grace 24h --warn-before 7d,1d");
    assert_eq!((&made["id"], &made["interval_seconds"]), (&json!("rot_quarterly"), &json!(7_776_000)));
    assert_eq!(bench.json("rotation policies update rot_quarterly --interval 60d")["interval"], "60d");
    bench.ok("rotation policies attach rot_quarterly app/db");
    assert!(bench.ok("rotation policies secrets rot_quarterly").contains("app/db"));
    assert_eq!(bench.json("rotation policies disable rot_quarterly")["is_active"], false);
    assert_eq!(bench.json("rotation policies enable rot_quarterly")["is_active"], true);
    assert!(bench.ok("rotation policies get rot_quarterly").contains("secrets_count"));
    assert!(bench.ok("rotation policies list").contains("rot_quarterly  quarterly  60d"));
    bench.ok("rotation policies detach rot_quarterly app/db");
    bench.ok("rotation policies delete rot_quarterly");
    bench.cli().words("rotation policies get rot_quarterly").fails(4);
}

#[test]
fn recipes_are_made_previewed_and_used() {
    let bench = Bench::start();
    let made = bench.json("secret-policies create --name db --generate password=random --generate id=uuid");
    assert_eq!(made["id"], "sp_db");
    assert!(bench.ok("secret-policies preview sp_db").starts_with("password  "));
    let recipe =
        r#"{"name":"n","fields":[{"name":"pin","generator":"random","config":{"length":4,"charset":"numeric"}}]}"#;
    let preview = bench.cli().words("secret-policies preview --file -").input(recipe).ok();
    assert!(preview.starts_with("pin  ") && preview.len() == 10, "{preview}");
    bench.ok("secret-policies generate sp_db app/db --expires-in 90d");
    assert_eq!(bench.ok("secrets read app/db --field password").len(), 32);
    assert!(bench.ok("secret-policies list").contains("sp_db"));
    assert!(bench.ok("secret-policies get sp_db").contains("fields[0].generator"));
    assert_eq!(bench.json("secret-policies update sp_db --active false")["is_active"], false);
    bench.ok("secret-policies delete sp_db --force");
    bench.cli().words("secret-policies get sp_db").fails(4);
}
