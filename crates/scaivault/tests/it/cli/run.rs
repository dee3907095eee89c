//! `scaivault run`

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::Bench;

#[test]
fn x_12_run_passes_signals_and_exit_codes_through() {
    let bench = Bench::start();
    bench.ok("secrets write app/db password=p");
    let sh = |script: &str| bench.cli().words("run --env P=app/db -- sh -c").arg(script);
    sh("exit 0").ok();
    for code in [1, 7, 42, 255] {
        sh(&format!("exit {code}")).fails(code);
    }
    sh("kill -KILL $$").fails(128 + 9);
    bench.cli().words("run --env P=app/db -- /nonexistent").fails(127);
    bench.cli().words("run --env P=app/db -- /etc").fails(126);

    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        // One child that takes the signal and says so, one that dies of it.
        let caught = format!("trap 'exit 33' {signal}; echo ready; while :; do sleep 0.05; done");
        assert_eq!(signalled(&bench, &caught, signal), Some(33), "{signal}");
        let died = "echo ready; exec sleep 60";
        assert_eq!(signalled(&bench, died, signal), Some(128 + number), "{signal}");
    }
}

/// Starts a script under `run`, sends the signal to `run` when the script is ready, and answers how `run` ended.
fn signalled(bench: &Bench, script: &str, signal: &str) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scaivault"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("SCAIVAULT_URL", &bench.base).env("HOME", bench.home.path());
    command.env("SCAIVAULT_TOKEN", &bench.token).args(["run", "--env", "P=app/db", "--", "sh", "-c", script]);
    let mut run = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let sent = Command::new("kill").args([format!("-{signal}"), run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    run.wait().unwrap().code()
}

#[test]
fn variables_are_set_for_one_process() {
    let bench = Bench::start();
    bench
        .cli()
        .words("secrets write app/db --json-file -")
        .input(r#"{"user":"u","password":"p","port":5432,"tls":{"on":true}}"#)
        .ok();
    bench.ok("secrets write app/api key=k");
    let run = |line: &str, script: &str| bench.cli().words(line).arg("--").words("sh -c").arg(script).ok();
    assert_eq!(run("run --env A=app/db#user --env PASSWORD=app/db --env B=app/api", "echo $A $PASSWORD $B"), "u p k\n");
    let all = run("run --prefix app/ --env DB_USER=app/api", "env");
    for line in ["DB_USER=k", "DB_PASSWORD=p", "DB_PORT=5432", "DB_TLS={\"on\":true}", "API_KEY=k"] {
        assert!(all.lines().any(|found| found == line), "{line} is missing in\n{all}");
    }
    assert!(!all.contains(&bench.token) && all.contains("SCAIVAULT_URL="), "{all}");
    assert!(run("run --keep-token --env B=app/api", "env").contains(&bench.token));
    let compose = bench.cli().var("SECRETS", "# two\nB=app/api\n A=app/db#user\n").words("run -- sh -c");
    assert_eq!(compose.arg("echo $A $B").ok(), "u k\n");

    // Whatever fails, the command does not start.
    let touch = |line: &str, code: i32| {
        let refused = bench.cli().words(line).words("-- touch").arg(bench.home.path().join("ran")).fails(code);
        assert!(!bench.home.path().join("ran").exists(), "{refused}");
        refused
    };
    touch("run --env A=app/none", 4);
    assert!(touch("run --env A=app/db", 4).contains("field_not_found"));
    touch("run --env A=app/db#nope", 4);
    touch("run --env 1A=app/db#user", 5);
    touch("run", 5);
    bench.ok("secrets write evil/ld preload=/tmp/x.so");
    assert!(touch("run --prefix evil/", 5).contains("LD_PRELOAD"));
    bench.ok("secrets write proxied/https proxy=http://x.example");
    assert!(touch("run --prefix proxied/", 5).contains("HTTPS_PROXY"));
    bench.nobody().words("run --env A=app/api -- true").fails(2);
}

#[test]
fn a_variable_that_is_set_is_not_replaced_unasked() {
    let bench = Bench::start();
    bench.ok("secrets write app/db user=u password=p");
    let run = |line: &str| bench.cli().var("DB_USER", "mine").var("DB_PASSWORD", "").words(line);
    let refused = run("run --prefix app/ -- true").fails(5);
    assert!(refused.contains("DB_USER") && refused.contains("--override"), "{refused}");
    let echo = |line: &str| run(line).words("-- sh -c").arg("echo $DB_USER $DB_PASSWORD").ok();
    assert_eq!(echo("run --prefix app/ --override"), "u p\n");
    // Named by whoever runs the command, so it may be replaced, and even be one that programs obey.
    assert_eq!(echo("run --prefix app/ --env DB_USER=app/db#password"), "p p\n");
    bench.ok("secrets write tool/git editor=true");
    assert!(run("run --prefix tool/ -- true").fails(5).contains("GIT_EDITOR"));
    run("run --prefix tool/ --override -- true").fails(5);
    let named = run("run --prefix tool/ --env GIT_EDITOR=tool/git#editor -- sh -c").arg("echo $GIT_EDITOR").ok();
    assert_eq!(named, "true\n");
    run("run --override --env A=app/db#user -- true").fails(5);
}
