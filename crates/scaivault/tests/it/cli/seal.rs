//! `scaivault seal`, `scaivault unseal`

use super::Bench;

#[test]
fn a_server_is_sealed_and_opened_with_its_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("passphrase");
    std::fs::write(&file, "correct horse battery staple\n").unwrap();
    let bench = Bench::start_with(&[("KMS_PROVIDER", "passphrase".as_ref()), ("KMS_PASSPHRASE_FILE", &file)]);
    bench.ok("secrets write a k=v");
    assert!(bench.nobody().words("unseal").ok().contains("not sealed"));
    bench.nobody().words("seal --yes").fails(2);
    assert_eq!(bench.json("seal")["sealed"], true);
    let sealed = bench.cli().words("secrets read a").fails(1);
    assert!(sealed.contains("scaivault unseal"), "{sealed}");
    bench.nobody().words("unseal").fails(5);
    bench.nobody().words("unseal --passphrase-file -").input("wrong").fails(5);
    bench.nobody().words("unseal --passphrase-file").arg(&file).ok();
    assert_eq!(bench.ok("secrets read a --field k"), "v");
}
