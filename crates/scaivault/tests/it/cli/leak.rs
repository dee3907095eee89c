//! Tokens and values stay out of everything but answers.

use super::{Bench, CANARY};

#[test]
fn x_4_no_token_in_process_list_debug_output_or_errors() {
    let bench = Bench::start();
    let mut said = String::new();
    for (line, code) in [
        ("secrets write a password=-", 0),
        ("secrets read a", 0),
        ("secrets write a password=- --if-version 9", 1),
        ("secrets rotate a --value-file -", 5),
        ("secrets read a --field none", 4),
        ("auth whoami", 0),
        ("auth login --token -", 2),
    ] {
        let output = bench.cli().words(line).arg("--debug").input(CANARY).output();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {text}");
        said.push_str(&text);
    }
    assert!(said.contains("debug: PUT /v1/secrets/a -> 201 in ") && said.contains(" ms, req_"), "{said}");
    said += &bench.cli().words("secrets read a").arg(&bench.token).fails(5);
    said += &bench.cli().words("auth login").arg(&bench.token).fails(5);
    said += &bench.nobody().var("SCAIVAULT_TOKEN", format!("{}\u{7f}", bench.token)).words("auth whoami").fails(5);
    said += &bench.nobody().var("SCAIVAULT_TOKEN", format!("{}x", bench.token)).words("auth whoami").fails(2);
    said += &bench.cli().words(&format!("--url http://u:{CANARY}@x secrets list")).fails(5);
    assert!(!said.contains(&bench.token) && !said.contains(CANARY), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn x_4_the_process_list_shows_neither_token_nor_value() {
    let bench = Bench::start();
    bench.cli().words("secrets write a password=-").input(CANARY).ok();
    let script = "tr '\\0' ' ' < /proc/$PPID/cmdline; tr '\\0' ' ' < /proc/$$/cmdline; echo $P";
    let seen = bench.cli().words("run --env P=a#password -- sh -c").arg(script).ok();
    assert!(seen.contains("run --env P=a#password"), "{seen}");
    assert!(!seen.contains(&bench.token) && seen.matches(CANARY).count() == 1, "{seen}");
}
