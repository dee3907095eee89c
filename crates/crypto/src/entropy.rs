//! Randomness as an argument, so that tests can replay it and take it away.

use aws_lc_rs::rand::SecureRandom as _;
use aws_lc_rs::rand::SystemRandom;

use crate::error::CryptoError;

/// A source of cryptographically secure random bytes.
pub trait Entropy: Send + Sync {
    /// Fills all of `out`.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`] if the source is unavailable; `out` must then not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError>;
}

/// The process-wide generator of aws-lc-rs, seeded and reseeded by the operating system.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// Cheap: the generator itself is shared and initialised once.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.0.fill(out).map_err(|_| CryptoError::Entropy)
    }
}

/// A uniformly distributed number in `0..bound`.
///
/// # Errors
/// [`CryptoError::InvalidBound`] for a bound of zero, [`CryptoError::Entropy`] as [`Entropy::fill`].
pub fn uniform_below(entropy: &dyn Entropy, bound: u32) -> Result<u32, CryptoError> {
    if bound == 0 {
        return Err(CryptoError::InvalidBound);
    }
    // `x % bound` alone prefers small results unless `bound` divides 2^32. Draws from the uneven
    // rest at the top, `limit..`, are thrown away; that is less than every second draw.
    let limit = u32::MAX - (u32::MAX % bound + 1) % bound;
    loop {
        let mut draw = [0; 4];
        entropy.fill(&mut draw)?;
        let draw = u32::from_le_bytes(draw);
        if draw <= limit {
            return Ok(draw % bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NoEntropy;
    use crate::testing::Replay;

    #[test]
    fn system_entropy_does_not_repeat() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemEntropy::new().fill(&mut a).unwrap();
        SystemEntropy::new().fill(&mut b).unwrap();
        assert_ne!(a, b);
        assert_ne!(a, [0; 32]);
    }

    #[test]
    fn no_number_is_below_zero() {
        assert_eq!(uniform_below(&SystemEntropy::new(), 0), Err(CryptoError::InvalidBound));
        assert_eq!(uniform_below(&SystemEntropy::new(), 1), Ok(0));
    }

    #[test]
    fn the_uneven_top_is_rejected() {
        // 2^32 % 10 = 6: the last six draws 2^32-6.. would favour 0..=5.
        let top = Replay::new(&[(u32::MAX - 5).to_le_bytes(), 17u32.to_le_bytes()].concat());
        assert_eq!(uniform_below(&top, 10), Ok(7));
        let last_good = Replay::new(&(u32::MAX - 6).to_le_bytes());
        assert_eq!(uniform_below(&last_good, 10), Ok((u32::MAX - 6) % 10));
        // A power of two divides 2^32: nothing is rejected.
        let max = Replay::new(&u32::MAX.to_le_bytes());
        assert_eq!(uniform_below(&max, 256), Ok(255));
        let max = Replay::new(&u32::MAX.to_le_bytes());
        assert_eq!(uniform_below(&max, u32::MAX), Err(CryptoError::Entropy), "rejected, then dry");
    }

    #[test]
    fn every_number_comes_about_equally_often() {
        let mut seen = [0u32; 7];
        for _ in 0..7_000 {
            let n = uniform_below(&SystemEntropy::new(), 7).unwrap();
            seen[usize::try_from(n).unwrap()] += 1;
        }
        // 1,000 expected, standard deviation 29: eight of them are never seen.
        assert!(seen.iter().all(|n| (766..1234).contains(n)), "{seen:?}");
    }

    #[test]
    fn failure_is_passed_on() {
        assert_eq!(uniform_below(&NoEntropy, 9), Err(CryptoError::Entropy));
    }
}
