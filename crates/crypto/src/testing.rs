//! Fakes and static checks for this crate's own tests.

use std::sync::Mutex;

use crate::entropy::Entropy;
use crate::error::CryptoError;

/// Hands out the given bytes, then fails.
pub(crate) struct Replay(Mutex<Vec<u8>>);

impl Replay {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Mutex::new(bytes.to_vec()))
    }
}

impl Entropy for Replay {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        let mut rest = self.0.lock().unwrap();
        if rest.len() < out.len() {
            return Err(CryptoError::Entropy);
        }
        out.copy_from_slice(&rest[..out.len()]);
        rest.drain(..out.len());
        Ok(())
    }
}

/// An operating system that ran dry.
pub(crate) struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::Entropy)
    }
}

/// Fails to compile if the type has the trait: if it does, `check` has two candidates and inference
/// cannot choose the marker.
macro_rules! assert_not_impl {
    ($type:ty: $($bound:tt)+) => {
        const _: fn() = || {
            struct Has;
            trait Probe<Marker> {
                fn check() {}
            }
            impl<T: ?Sized> Probe<()> for T {}
            impl<T: ?Sized + $($bound)+> Probe<Has> for T {}
            <$type as Probe<_>>::check();
        };
    };
}
pub(crate) use assert_not_impl;
