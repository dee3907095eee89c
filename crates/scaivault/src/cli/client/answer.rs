//! What a server answered. Its bytes stay as they came.

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The body of a success; it may hold values, and is wiped.
pub(crate) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    pub(super) fn new(body: Zeroizing<Vec<u8>>) -> Self {
        Self(body)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads it as what this version of the program expects.
    ///
    /// # Errors
    /// It is something else; another server stands at that address, or one of another time.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        serde_json::from_slice(&self.0).map_err(|_| {
            Failure::general(
                "the answer can't be read: is --url that of a ScaiVault server? --json shows the answer itself",
            )
        })
    }
}
