//! `scaivault secrets`, `partner-secrets`: each command once.

use serde_json::json;

use super::{Bench, CANARY};

#[test]
fn a_secret_lives_through_all_commands() {
    let bench = Bench::start();
    let wrote = bench
        .ok("secrets write app/db user=u password=p1 --type json --tag a --tag b --owner team:crm --expires-in 30d");
    assert!(wrote.contains("version      1\n"), "{wrote}");
    bench.cli().words("secrets write app/db k=v --create-only").fails(1);
    bench.ok("secrets write app/db user=u password=p2 new=n --if-version 1");
    let read = bench.ok("secrets read app/db");
    assert!(read.contains("password  p2\n") && read.contains("secret_type"), "{read}");
    assert_eq!(bench.ok("secrets read app/db --version 1 --field password"), "p1");
    let now = bench.json("secrets read app/db")["version_created_at"].as_str().unwrap().to_owned();
    assert_eq!(bench.json(&format!("secrets read app/db --at {now}"))["version"], 2);

    assert_eq!(bench.ok("secrets diff app/db --from 1 --to 2"), "~ password\n+ new\n");
    assert_eq!(bench.ok("secrets diff app/db --from 2 --to 1 --reveal"), "- password: p2\n+ password: p1\n- new: n\n");
    let diff = bench.json("secrets diff app/db --from 1");
    assert_eq!(diff, json!({"path": "app/db", "added": ["new"], "removed": [], "changed": ["password"]}));

    bench.ok("secrets patch app/db --tag c --owner= --max-versions 3 --expires-in never");
    let metadata = bench.json("secrets metadata app/db");
    assert_eq!(metadata["metadata"]["tags"], json!(["c"]));
    assert_eq!((&metadata["options"]["max_versions"], &metadata["expires_at"]), (&json!(3), &json!(null)));
    bench.cli().words("secrets patch app/db").fails(5);

    let new = bench.file("new.json", format!(r#"{{"password":"{CANARY}"}}"#));
    bench.cli().words("secrets rotate app/db --grace 1h --reason because --value-file").arg(new).ok();
    assert_eq!(bench.ok("secrets read app/db --field password"), CANARY);
    bench.ok("secrets rotate app/db --generate");
    assert_ne!(bench.ok("secrets read app/db --field password"), CANARY);
    assert_eq!(bench.json("secrets versions app/db")["versions"].as_array().unwrap().len(), 4);

    let moved = bench.ok("secrets move app/db app/postgres");
    assert!(moved.contains("app/db  app/postgres  4"), "{moved}");
    bench.ok("secrets copy app/postgres app/copied --current-only");
    assert_eq!(bench.json("secrets metadata app/copied")["current_version"], 1);
    bench.ok("secrets delete app/postgres --version 1");
    bench.ok("secrets delete app/postgres");
    bench.cli().words("secrets read app/postgres").fails(4);
    bench.ok("secrets restore app/postgres");
    bench.ok("secrets delete app/postgres --hard --yes");
    bench.cli().words("secrets restore app/postgres").fails(4);

    bench.ok("secrets write soon k=v --expires-in 2d");
    assert!(bench.ok("secrets expiring --days 7").contains("soon"));
}

#[test]
fn the_room_of_a_partner_has_its_own_commands() {
    let bench = Bench::start();
    bench.ok("partner-secrets write shared/ca cert=c");
    assert_eq!(bench.ok("partner-secrets read shared/ca --field cert"), "c");
    assert!(bench.ok("partner-secrets list --prefix shared/").contains("shared/ca"));
    bench.cli().words("secrets read shared/ca").fails(4);
    bench.ok("partner-secrets delete shared/ca --hard");
    bench.cli().words("partner-secrets read shared/ca").fails(4);
}

#[test]
fn a_batch_shows_what_it_got_and_fails_for_the_rest() {
    let bench = Bench::start();
    bench.ok("secrets write a/b k=1");
    bench.ok("secrets write a/c k=2 --tag t");
    assert_eq!(bench.ok("batch read a/b a/c"), "a/b (version 1)\n  k  1\n\na/c (version 1)\n  k  2\n");
    let partial = bench.cli().words("batch read a/b a/x").fails(1);
    assert!(partial.contains("a/x: secret_not_found: ") && partial.contains("1 path failed"), "{partial}");
    bench.cli().words("batch read a/b a/x --fail-fast").fails(4);
    assert_eq!(bench.json("batch read a/b")["secrets"]["a/b"]["data"]["k"], "1");
    let metadata = bench.ok("batch metadata a/* --expand");
    assert!(metadata.starts_with("PATH") && metadata.contains("a/c"), "{metadata}");
}
