//! Key pairs and hashes (V-4, V-5), judged by programs that share no code with the server: `openssl`, `ssh-keygen` and the C
//! library's crypt through `perl`. `scripts/test` installs them; where one is missing, its part is left out here, and what remains
//! is in `crates/crypto`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use scaivault_testkit::TestApp;
use serde_json::{Value, json};

use super::RECIPES;

/// What the recipe of this one field makes.
async fn preview(field: Value) -> Value {
    let app = TestApp::new().await;
    let answer = app.root().post(&format!("{RECIPES}/preview"), json!({"fields": [field]})).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()["data"].clone()
}

/// Runs a program over files in `directory`; `None` if it is not installed.
fn run(directory: &Path, program: &str, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        output => Some(output.unwrap()),
    }
}

/// As [`run`], for what has to go well.
fn succeed(directory: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = run(directory, program, arguments)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    Some(said)
}

fn file(directory: &Path, name: &str, content: &str) {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // ssh-keygen takes no private key that others can read.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[rstest]
#[case::rsa_2048("rsa_keypair", json!({}), "2048 bit")]
#[case::rsa_4096("rsa_keypair", json!({"bits": 4096}), "4096 bit")]
#[case::p_256("ec_keypair", json!({}), "NIST CURVE: P-256")]
#[case::p_384("ec_keypair", json!({"curve": "P-384"}), "NIST CURVE: P-384")]
#[tokio::test]
async fn v_4_openssl_signs_and_verifies(#[case] generator: &str, #[case] config: Value, #[case] kind: &str) {
    let data = preview(json!({"name": "private_key", "generator": generator, "config": config})).await;
    let (private, public) = (data["private_key"].as_str().unwrap(), data["public_key"].as_str().unwrap());
    assert_eq!(data.as_object().unwrap().len(), 2);
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n") && private.ends_with("\n-----END PRIVATE KEY-----\n"));
    assert!(public.starts_with("-----BEGIN PUBLIC KEY-----\n") && public.ends_with("\n-----END PUBLIC KEY-----\n"));
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (name, text) in [("key", private), ("pub", public), ("m", "message"), ("n", "massage")] {
        file(at, name, text);
    }
    let Some(told) = succeed(at, "openssl", &["pkey", "-in", "key", "-noout", "-text", "-check"]) else { return };
    assert!(told.contains(kind), "{kind}");
    assert_eq!(succeed(at, "openssl", &["pkey", "-in", "key", "-pubout"]).unwrap(), public);
    succeed(at, "openssl", &["dgst", "-sha256", "-sign", "key", "-out", "sig", "m"]).unwrap();
    let verify = ["dgst", "-sha256", "-verify", "pub", "-signature", "sig"];
    assert!(run(at, "openssl", &[&verify[..], &["m"]].concat()).unwrap().status.success());
    assert!(!run(at, "openssl", &[&verify[..], &["n"]].concat()).unwrap().status.success());
}

#[rstest]
#[case::ed25519(json!({}), "ssh-ed25519", "256", "ED25519")]
#[case::ed25519_with_comment(json!({"comment": "mia of Ünna"}), "ssh-ed25519", "256", "ED25519")]
#[case::rsa(json!({"key_type": "rsa", "comment": "mia@firm.example"}), "ssh-rsa", "4096", "RSA")]
#[tokio::test]
async fn v_4_ssh_keygen_signs_and_verifies(
    #[case] config: Value,
    #[case] prefix: &str,
    #[case] bits: &str,
    #[case] kind: &str,
) {
    let data = preview(json!({"name": "private_key", "generator": "ssh_keypair", "config": config})).await;
    let (private, public) = (data["private_key"].as_str().unwrap(), data["public_key"].as_str().unwrap());
    let comment = config["comment"].as_str().unwrap_or_default();
    assert!(private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n") && private.ends_with("-----\n"));
    let parts: Vec<&str> = public.splitn(3, ' ').collect();
    assert_eq!((parts[0], parts.get(2).copied().unwrap_or_default()), (prefix, comment));
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let allowed = format!("mia {} {}\n", parts[0], parts[1]);
    for (name, text) in [("key", private), ("key.pub", public), ("m", "message"), ("allowed", &allowed)] {
        file(at, name, text);
    }
    // Computed from the private key, with the comment that is in it.
    let Some(told) = succeed(at, "ssh-keygen", &["-y", "-P", "", "-f", "key"]) else { return };
    assert_eq!(told.trim_end_matches('\n'), public);
    let told = succeed(at, "ssh-keygen", &["-l", "-f", "key.pub"]).unwrap();
    assert!(told.starts_with(&format!("{bits} ")) && told.trim_end().ends_with(&format!("({kind})")), "{told}");
    succeed(at, "ssh-keygen", &["-Y", "sign", "-f", "key", "-n", "file", "m"]).unwrap();
    let check = ["-Y", "verify", "-f", "allowed", "-I", "mia", "-n", "file", "-s", "m.sig"];
    let verified = |message: &str| {
        let mut command = Command::new("ssh-keygen");
        let message = std::fs::File::open(at.join(message)).unwrap();
        command.args(check).current_dir(at).stdin(message).output().unwrap().status.success()
    };
    assert!(verified("m") && !verified("key.pub"));
}

#[rstest]
#[case::default(json!({}), 32, "$2b$12$")]
#[case::shortest(json!({"length": 1, "rounds": 4}), 1, "$2b$04$")]
#[case::longest(json!({"length": 72, "rounds": 5}), 72, "$2b$05$")]
#[tokio::test]
async fn v_5_the_hash_verifies_the_password(#[case] config: Value, #[case] length: usize, #[case] prefix: &str) {
    let data = preview(json!({"name": "password", "generator": "bcrypt_hash", "config": config})).await;
    let (password, hash) = (data["password"].as_str().unwrap(), data["password_hash"].as_str().unwrap());
    assert!(password.len() == length && password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{password}");
    assert!(hash.starts_with(prefix) && hash.len() == 60, "{hash}");
    let here = Path::new(".");
    let crypt = |password: &str| succeed(here, "perl", &["-e", "print crypt($ARGV[0], $ARGV[1])", password, hash]);
    // A C library without bcrypt answers nothing, or with another kind of hash.
    let Some(made) = crypt(password).filter(|made| made.starts_with("$2b$")) else { return };
    assert_eq!(made, hash);
    let other = if password.starts_with('x') { 'y' } else { 'x' };
    assert_ne!(crypt(&format!("{other}{}", &password[1..])).unwrap(), hash);
}
