//! Plaintext that cannot be printed, copied or compared by accident.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes, wiped when dropped.
///
/// Has no `Clone`, `PartialEq` or `Serialize` on purpose: every use of the content is an
/// [`expose`](Self::expose) that a reviewer can find. Compare with
/// [`digest::constant_time_eq`](crate::digest::constant_time_eq).
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over without copying them, so no unwiped original stays behind.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The content. The caller keeps it out of logs, errors and unwiped copies.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For this crate's own decryption, which already works in a wiped buffer.
    pub(crate) fn from_zeroizing(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    // Not even the length: a short secret's length is half of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

/// Secret text, wiped when dropped; otherwise as [`SecretBytes`].
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes the text over without copying it, so no unwiped original stays behind.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The content. The caller keeps it out of logs, errors and unwiped copies.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_not_impl;

    assert_not_impl!(SecretBytes: Clone);
    assert_not_impl!(SecretBytes: PartialEq);
    assert_not_impl!(SecretBytes: fmt::Display);
    assert_not_impl!(SecretString: Clone);
    assert_not_impl!(SecretString: PartialEq);
    assert_not_impl!(SecretString: fmt::Display);

    #[test]
    fn debug_shows_neither_content_nor_length() {
        assert_eq!(format!("{:?}", SecretBytes::new(b"canary".to_vec())), "SecretBytes(…)");
        assert_eq!(format!("{:#?}", SecretBytes::new(b"canary".to_vec())), "SecretBytes(…)");
        assert_eq!(format!("{:?}", SecretString::new("canary".into())), "SecretString(…)");
        assert_eq!(format!("{:#?}", SecretString::new("canary".into())), "SecretString(…)");
    }

    #[test]
    fn content_is_kept() {
        let bytes = SecretBytes::new(vec![1, 2]);
        assert_eq!((bytes.expose(), bytes.len(), bytes.is_empty()), (&[1, 2][..], 2, false));
        let text = SecretString::new(String::new());
        assert_eq!((text.expose(), text.len(), text.is_empty()), ("", 0, true));
    }
}
