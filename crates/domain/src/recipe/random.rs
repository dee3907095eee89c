//! The generator `random`: uniform over all strings of the charset that have what is required.

use scaivault_crypto::entropy::{Entropy, uniform_below};
use scaivault_crypto::error::CryptoError;
use serde_json::{Value, json};

use super::MAX_LENGTH;
use super::charset::{Charset, Class, Classes};

/// A draw that succeeds less often than this would make the server spin; no sane recipe comes near it (the worst one of
/// named charsets, 4 characters of `safe` with 4 classes, succeeds in 1 of 29).
const MIN_ACCEPTANCE: f64 = 1e-4;

/// At the least acceptance, the chance to fail this often is e^-100: it is the source of randomness that is broken then.
const MAX_DRAWS: u32 = 1_000_000;

/// Length in characters, 1 to 4096.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    length: u32,
    charset: Charset,
    require: Classes,
}

impl Random {
    /// # Errors
    /// The name of the setting at fault and why: a length out of range, a required class that the charset lacks, a length
    /// below the number of required classes, or classes so rare in the charset that no draw would find them.
    pub fn new(length: u32, charset: Charset, require: Classes) -> Result<Random, (&'static str, String)> {
        if !(1..=MAX_LENGTH).contains(&length) {
            return Err(("length", format!("must be between 1 and {MAX_LENGTH}")));
        }
        let characters = charset.characters();
        let demanded = require.demanded();
        for (setting, is_of) in &demanded {
            if !characters.iter().any(|&c| is_of(c)) {
                return Err((setting, "needs a class of characters that the charset does not have".to_owned()));
            }
        }
        if demanded.len() > length as usize {
            return Err(("length", format!("must be at least the number of required classes, {}", demanded.len())));
        }
        if acceptance(length, &characters, &demanded) < MIN_ACCEPTANCE {
            return Err(("length", "is too short for required classes that are this rare in the charset".to_owned()));
        }
        Ok(Random { length, charset, require })
    }

    pub fn length(&self) -> u32 {
        self.length
    }

    pub fn charset(&self) -> &Charset {
        &self.charset
    }

    pub fn require(&self) -> Classes {
        self.require
    }

    /// By rejection: patching a missing class in would make some strings likelier than others.
    pub(super) fn generate(&self, entropy: &dyn Entropy) -> Result<String, CryptoError> {
        let characters = self.charset.characters();
        let demanded = self.require.demanded();
        for _ in 0..MAX_DRAWS {
            let value = draw(entropy, &characters, self.length)?;
            if demanded.iter().all(|(_, is_of)| value.chars().any(is_of)) {
                return Ok(value);
            }
        }
        Err(CryptoError::Entropy)
    }

    pub(super) fn to_json(&self) -> Value {
        let Classes { upper, lower, digit, symbol } = self.require;
        let mut config = json!({
            "length": self.length, "charset": self.charset.as_str(),
            "require_upper": upper, "require_lower": lower, "require_digit": digit, "require_symbol": symbol,
        });
        if let (Charset::Custom(text), Some(config)) = (&self.charset, config.as_object_mut()) {
            config.insert("custom_charset".to_owned(), Value::from(text.as_str()));
        }
        config
    }
}

/// `length` characters, each uniform and independent.
pub(super) fn draw(entropy: &dyn Entropy, characters: &[char], length: u32) -> Result<String, CryptoError> {
    let bound = u32::try_from(characters.len()).map_err(|_| CryptoError::InvalidBound)?;
    // No growing: a string that moves leaves a copy of a secret behind.
    let widest = characters.iter().map(|c| c.len_utf8()).max().unwrap_or(1);
    let mut value = String::with_capacity(length as usize * widest);
    for _ in 0..length {
        let at = uniform_below(entropy, bound)? as usize;
        value.push(*characters.get(at).ok_or(CryptoError::InvalidBound)?);
    }
    Ok(value)
}

/// The share of strings that have every class: inclusion and exclusion over the sets of classes that are missing.
fn acceptance(length: u32, characters: &[char], demanded: &[Class]) -> f64 {
    let total = characters.len() as f64;
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    let without = |missing: u32| {
        let is_missing =
            |c: char| demanded.iter().enumerate().any(|(i, (_, is_of))| missing & (1 << i) != 0 && is_of(c));
        let left = characters.iter().filter(|&&c| !is_missing(c)).count() as f64;
        let sign = if missing.count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
        sign * (left / total).powi(length)
    };
    (0..1u32 << demanded.len()).map(without).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acceptance_is_the_share_of_good_strings() {
        let digits: Vec<char> = ('0'..='9').chain(['a']).collect();
        let classes = Classes { digit: true, lower: true, ..Classes::default() }.demanded();
        // Of 121 pairs, 10 x 1 x 2 have a digit and the letter.
        assert!((acceptance(2, &digits, &classes) - 20.0 / 121.0).abs() < 1e-12);
        let four = Classes { upper: true, lower: true, digit: true, symbol: true };
        let safe = acceptance(4, &Charset::Safe.characters(), &four.demanded());
        assert!((safe - 24.0 * 26.0 * 26.0 * 10.0 * 4.0 / 66f64.powi(4)).abs() < 1e-9);
    }

    #[test]
    fn hopeless_requirements_are_refused() {
        let rare: String = ('\u{4e00}'..).take(252).chain("Aa1!".chars()).collect();
        let four = Classes { upper: true, lower: true, digit: true, symbol: true };
        assert_eq!(Random::new(4, Charset::Custom(rare.clone()), four).unwrap_err().0, "length");
        assert!(Random::new(1024, Charset::Custom(rare), four).is_ok());
    }
}
