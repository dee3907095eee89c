//! Lists: tables, pages, trees; the commands that only look.

use super::Bench;

#[test]
fn a_list_follows_its_cursors_when_told_to() {
    let bench = Bench::start();
    for number in 0..5 {
        bench.ok(&format!("secrets write app/{number}/x k=v --tag t{}", number % 2));
    }
    let page = bench.cli().words("secrets list --limit 2").output();
    assert_eq!(String::from_utf8(page.stdout).unwrap().lines().count(), 3);
    assert!(String::from_utf8(page.stderr).unwrap().contains("--all"));
    let all = bench.ok("secrets list --limit 2 --all --prefix app/");
    let paths: Vec<&str> = all.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(paths, ["PATH", "app/0/x", "app/1/x", "app/2/x", "app/3/x", "app/4/x"]);
    assert_eq!(bench.ok("secrets list --tag t1 --tree --limit 1"), "app\n|-- 1\n|   `-- x\n`-- 3\n    `-- x\n");
    assert!(bench.ok("secrets list --query /4/").contains("app/4/x"));
    let cursor = bench.json("secrets list --limit 4")["cursor"].as_str().unwrap().to_owned();
    assert_eq!(bench.json(&format!("secrets list --cursor {cursor}"))["secrets"][0]["path"], "app/4/x");
    assert_eq!(bench.ok("secrets list --prefix none"), "");
}

#[test]
fn the_trail_is_told() {
    let bench = Bench::start();
    bench.ok("secrets write app/db k=v");
    bench.ok("secrets read app/db");
    let logs = bench.ok("audit logs --path-prefix app/ --action read,write --success true --limit 10");
    assert!(logs.lines().count() == 3 && logs.contains("user:admin@localhost  app/db"), "{logs}");
    let secret = bench.ok("audit secret app/db");
    assert!(secret.contains("summary_30d.reads") && secret.contains("TIMESTAMP"), "{secret}");
    assert!(bench.ok("audit identity user:admin@localhost --limit 5").contains("summary.total_events"));
    assert!(bench.ok("audit summary").contains("by_action.write"));
    assert!(bench.ok("audit verify").contains("valid                 true\n"));
}

#[test]
fn text_of_others_does_not_command_the_terminal() {
    let bench = Bench::start();
    bench.cli().words("secrets write a --json-file - --owner").arg("x\u{202e}y").input("{\"k\":\"\\u001b[31m\"}").ok();
    assert!(bench.ok("secrets read a").contains("k  \\u{1b}[31m"));
    assert!(bench.ok("secrets metadata a").contains("x\\u{202e}y"));
    assert_eq!(bench.ok("secrets read a --field k"), "\u{1b}[31m");
}

#[test]
fn shells_get_their_completion() {
    let bench = Bench::start();
    for shell in ["bash", "zsh", "fish"] {
        assert!(bench.ok(&format!("completion {shell}")).contains("partner-secrets"));
    }
    bench.cli().words("completion cmd").fails(5);
    assert!(bench.ok("secrets write --help").contains("Examples:"));
    assert!(bench.ok("--version").starts_with("scaivault "));
}
