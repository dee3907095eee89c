//! `scaivault auth tokens`

use super::Bench;

#[test]
fn tokens_are_created_listed_and_revoked() {
    let bench = Bench::start();
    let made = bench.json("auth tokens create --name laptop --scope secrets:read --scope secrets:list --expires-in 30d --ip-range 127.0.0.0/8");
    let token = made["token"].as_str().unwrap();
    assert!(
        bench.nobody().var("SCAIVAULT_TOKEN", token).words("auth whoami").ok().contains("secrets:read, secrets:list")
    );
    let list = bench.ok("auth tokens list");
    assert!(list.contains("laptop") && !list.contains(token), "{list}");
    let revoked = bench.ok(&format!("auth tokens revoke {}", made["id"].as_str().unwrap()));
    assert!(revoked.contains("is revoked"));
    bench.nobody().var("SCAIVAULT_TOKEN", token).words("auth whoami").fails(2);

    let made = bench.json("auth tokens create --name other --scope secrets:read");
    bench.nobody().words("auth login --token -").input(made["token"].as_str().unwrap()).ok();
    bench.nobody().words("auth logout --revoke").ok();
    bench.nobody().var("SCAIVAULT_TOKEN", made["token"].as_str().unwrap()).words("auth whoami").fails(2);
}
