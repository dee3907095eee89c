//! `scaivault config`, the file behind it, and signing in.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::{Bench, Cli};

fn file(bench: &Bench) -> PathBuf {
    bench.home.path().join(".scaivault/config.json")
}

fn mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn x_5_a_configuration_file_that_others_can_read() {
    let bench = Bench::start();
    bench.ok("config set tenant_id tnt_default");
    mode(&file(&bench), 0o644);
    let output = bench.cli().words("secrets list").output();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("warning: "));

    mode(&file(&bench), 0o600);
    bench.nobody().words("auth login --token -").input(&bench.token).ok();
    mode(&file(&bench), 0o640);
    for line in ["secrets list", "auth whoami", "config list"] {
        let refused = bench.cli().words(line).fails(5);
        assert!(refused.contains("chmod 600") && !refused.contains(&bench.token), "{refused}");
    }
    mode(&file(&bench), 0o600);
    bench.ok("secrets list");
}

#[test]
fn signing_in_keeps_the_token_with_its_server() {
    let bench = Bench::start();
    let bare = || Cli::new(bench.home.path());
    let said = bench.nobody().words("auth login --token -").input(format!("{}\n", bench.token)).ok();
    assert!(said.contains("user:admin@localhost") && !said.contains(&bench.token), "{said}");
    assert_eq!(std::fs::metadata(file(&bench)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(file(&bench).parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(bare().words("auth whoami").ok().contains("user:admin@localhost"));
    let list = bare().words("config list").ok();
    assert!(list.contains("token     (set)") && list.contains("file") && !list.contains(&bench.token), "{list}");

    bench.nobody().words("auth login --token -").input("skt_wrong").fails(2);
    assert!(bare().words("auth whoami").ok().contains("user:admin@localhost"), "a bad token replaces nothing");
    bare().words("auth logout").ok();
    bare().words("auth whoami").fails(2);
    assert_eq!(bare().words("config get base_url").ok(), format!("{}\n", bench.base));
}

#[test]
fn the_later_of_file_environment_and_flag_wins() {
    let bench = Bench::start();
    let bare = || Cli::new(bench.home.path()).var("SCAIVAULT_TOKEN", &bench.token);
    bare().words("config set base_url http://127.0.0.1:1").ok();
    bare().words("auth whoami").fails(1);
    bare().var("SCAIVAULT_URL", &bench.base).words("auth whoami").ok();
    bare().var("SCAIVAULT_URL", "http://127.0.0.1:1").words("auth whoami --url").arg(&bench.base).ok();
    bare().words("config set tenant_id tnt_none").ok();
    bare().words("auth whoami --url").arg(&bench.base).fails(4);
    bare().words("auth whoami --tenant tnt_default --url").arg(&bench.base).ok();
    bare().words("config set tenant_id").arg("").ok();
    bare().words("config get tenant_id").fails(4);
    for bad in ["config set token skt_x", "config set nonsense x", "config set base_url nonsense", "config get token"] {
        bare().words(bad).fails(5);
    }
    let broken = file(&bench);
    std::fs::write(&broken, "{").unwrap();
    assert!(bare().words("auth whoami").fails(5).contains("is not a JSON object"));
}

#[test]
fn a_token_file_is_followed() {
    let bench = Bench::start();
    let path = bench.file("token", format!("{}\n", bench.token));
    let cli = || bench.nobody().var("SCAIVAULT_TOKEN_FILE", &path);
    cli().words("auth whoami").ok();
    cli().var("SCAIVAULT_TOKEN", &bench.token).words("auth whoami").fails(5);
    bench.file("token", "skt_other");
    cli().words("auth whoami").fails(2);
    bench.file("token", "");
    cli().words("auth whoami").fails(5);
}
