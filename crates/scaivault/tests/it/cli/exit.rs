//! Exit codes and the one line of an error.

use std::time::Instant;

use super::{Bench, Cli};

#[test]
fn x_1_exit_codes_tell_what_kind_of_failure() {
    let bench = Bench::start();
    bench.ok("secrets write app/db k=v");
    let unknown = "skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1Yo7hP";

    let none = bench.nobody().words("secrets read app/db").fails(2);
    assert!(none.starts_with("scaivault: authentication_required: ") && none.contains("auth login"), "{none}");
    let bad = bench.nobody().var("SCAIVAULT_TOKEN", unknown).words("secrets read app/db").fails(2);
    assert!(bad.starts_with("scaivault: token_invalid: ") && bad.contains("(request req_"), "{bad}");
    assert_eq!(bad.lines().count(), 1);

    let stranger = bench.stranger("secrets:read");
    let denied = bench.nobody().var("SCAIVAULT_TOKEN", &stranger).words("secrets read app/db").fails(3);
    assert!(denied.starts_with("scaivault: access_denied: "), "{denied}");
    let scope = bench.nobody().var("SCAIVAULT_TOKEN", &stranger).words("secrets delete app/db").fails(3);
    assert!(scope.contains("insufficient_scope") && scope.contains("secrets:delete"), "{scope}");

    let absent = bench.cli().words("secrets read app/none").fails(4);
    assert!(absent.starts_with("scaivault: secret_not_found: "), "{absent}");
    bench.cli().words("secrets read app/db --version 9").fails(4);

    for path in ["a//b", "/a", "a/", "a/../b", "a/./b", "a b", "", "ä", "a/versions", "batch/x"] {
        let invalid = bench.cli().words("secrets read").arg(path).fails(5);
        assert!(invalid.contains("invalid_path"), "{path}: {invalid}");
    }
    let faults = bench.cli().words("secrets list --limit 0").fails(5);
    assert!(faults.contains("validation_error") && faults.contains("limit: "), "{faults}");
    for usage in
        ["secrets", "secrets read", "secrets read a --version x", "nonsense", "secrets write a", "--json server"]
    {
        bench.cli().words(usage).fails(5);
    }

    let conflict = bench.cli().words("secrets write app/db k=v --if-version 7").fails(1);
    assert!(conflict.contains("version_conflict") && conflict.contains("--if-version 1"), "{conflict}");
    let gone = Cli::new(bench.home.path()).words("--url http://127.0.0.1:1 secrets list").fails(1);
    assert!(gone.contains("can't reach http://127.0.0.1:1"), "{gone}");
}

#[test]
fn an_expired_secret_counts_as_not_found() {
    let bench = Bench::start();
    bench.ok("secrets write a k=v --expires-in 1s");
    let begun = Instant::now();
    while bench.cli().words("secrets read a").output().status.success() && begun.elapsed().as_secs() < 10 {}
    let gone = bench.cli().words("secrets read a").fails(4);
    assert!(gone.contains("secret_expired"), "{gone}");
}

#[test]
fn sign_in_by_password_says_what_to_do_instead() {
    let bench = Bench::start();
    let line = bench.nobody().words("auth login").fails(5);
    assert!(line.contains("--token -"), "{line}");
}
