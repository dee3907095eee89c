//! Hashing and comparison without timing.

use subtle::ConstantTimeEq as _;

/// Length of a SHA-256 digest in bytes.
pub const SHA256_LEN: usize = 32;

/// SHA-256 of `bytes` (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; SHA256_LEN] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut out = [0; SHA256_LEN];
    // zip, not copy_from_slice: that panics on a length it cannot know, this cannot.
    for (to, from) in out.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    out
}

/// Whether both are equal, in a time that depends on their lengths only.
///
/// The lengths themselves are compared openly: use it where they are public.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Lower-case hexadecimal, as it stands in the audit chain and in token references.
pub fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Reads 64 lower-case hexadecimal digits; `None` for anything else, upper case included, so that
/// one digest has one spelling.
pub fn sha256_from_hex(text: &str) -> Option<[u8; SHA256_LEN]> {
    let mut out = [0; SHA256_LEN];
    hex::decode_to_slice(text, &mut out).ok()?;
    (!text.bytes().any(|b| b.is_ascii_uppercase())).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_vectors_of_fips_180() {
        let vectors = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ];
        for (input, expected) in vectors {
            assert_eq!(hex(&sha256(input.as_bytes())), expected);
            assert_eq!(sha256_from_hex(expected), Some(sha256(input.as_bytes())));
        }
    }

    #[test]
    fn comparison() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd"));
        assert!(!constant_time_eq(b"abc", b"ab"));
    }

    #[test]
    fn one_digest_has_one_spelling() {
        let good = "ab".repeat(32);
        assert!(sha256_from_hex(&good).is_some());
        for bad in [good.to_uppercase(), "ab".repeat(31), "ab".repeat(33), "xy".repeat(32)] {
            assert_eq!(sha256_from_hex(&bad), None, "{bad}");
        }
    }
}
