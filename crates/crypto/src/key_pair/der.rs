//! As much of DER as it takes to find the numbers in an RSA key that aws-lc-rs wrote; it hands them out in no other way.

use crate::error::CryptoError;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The numbers of an RSA private key as SSH's `mpint` wants them: that is what the content of an INTEGER is, big-endian two's
/// complement in as few bytes as possible (X.690, 8.3; RFC 4251, 5).
pub(super) struct RsaNumbers<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) public_exponent: &'a [u8],
    pub(super) private_exponent: &'a [u8],
    pub(super) prime1: &'a [u8],
    pub(super) prime2: &'a [u8],
    /// Inverse of the second prime modulo the first.
    pub(super) coefficient: &'a [u8],
}

/// Reads PKCS#8 (RFC 5208) around an `RSAPrivateKey` (RFC 8017, A.1.2).
pub(super) fn rsa_numbers(pkcs8: &[u8]) -> Result<RsaNumbers<'_>, CryptoError> {
    let mut info = Reader(Reader(pkcs8).take(SEQUENCE)?);
    let (_version, _algorithm) = (info.take(INTEGER)?, info.take(SEQUENCE)?);
    let mut key = Reader(Reader(info.take(OCTET_STRING)?).take(SEQUENCE)?);
    let mut number = || key.take(INTEGER);
    let (_version, modulus, public_exponent) = (number()?, number()?, number()?);
    let (private_exponent, prime1, prime2) = (number()?, number()?, number()?);
    let (_exponent1, _exponent2, coefficient) = (number()?, number()?, number()?);
    Ok(RsaNumbers { modulus, public_exponent, private_exponent, prime1, prime2, coefficient })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, which has to be of this kind.
    fn take(&mut self, tag: u8) -> Result<&'a [u8], CryptoError> {
        let (&[found, first], mut rest) = self.0.split_first_chunk().ok_or(CryptoError::InvalidKey)?;
        let mut length = usize::from(first & 0x7f);
        if first & 0x80 != 0 {
            let (bytes, after) = rest.split_at_checked(length).ok_or(CryptoError::InvalidKey)?;
            // Two bytes of length are 64 KiB: far more than a key.
            if bytes.len() > 2 {
                return Err(CryptoError::InvalidKey);
            }
            length = bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            rest = after;
        }
        let (content, after) = rest.split_at_checked(length).ok_or(CryptoError::InvalidKey)?;
        self.0 = after;
        if found == tag { Ok(content) } else { Err(CryptoError::InvalidKey) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_short_and_long_lengths() {
        let long = [&[INTEGER, 0x81, 0x80][..], &[7; 128]].concat();
        assert_eq!(Reader(&long).take(INTEGER).unwrap(), [7; 128]);
        let longer = [&[INTEGER, 0x82, 0x01, 0x01][..], &[7; 257], &[1]].concat();
        let mut reader = Reader(&longer);
        assert_eq!((reader.take(INTEGER).unwrap().len(), reader.0), (257, &[1][..]));
        for bad in [&[][..], &[2], &[2, 1], &[4, 0], &[2, 0x82, 1], &[2, 0x83, 0, 0, 0], &[2, 0x81, 2, 0]] {
            assert!(Reader(bad).take(INTEGER).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = rsa_numbers(&bytes);
            let _ = rsa_numbers(&[&[SEQUENCE, 0x7f][..], &bytes].concat());
        }
    }
}
