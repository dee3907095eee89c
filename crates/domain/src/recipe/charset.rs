//! The characters that random values are drawn from (contract 05 section 2).

use std::sync::LazyLock;

/// The 16 digits of lower-case hex.
pub(super) static HEX: LazyLock<Vec<char>> = LazyLock::new(|| Charset::Hex.characters());

/// The 62 letters and digits.
pub(super) static ALPHANUMERIC: LazyLock<Vec<char>> = LazyLock::new(|| Charset::Alphanumeric.characters());

/// How many distinct characters a set of one's own may have.
pub(super) const CUSTOM_SIZE: std::ops::RangeInclusive<usize> = 2..=256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charset {
    Alphanumeric,
    Alpha,
    Numeric,
    Lower,
    Upper,
    Hex,
    /// Letters, digits and `-_.~`: needs no quoting in URLs, shells and connection strings.
    Safe,
    /// The 32 punctuation characters of ASCII.
    Symbols,
    /// Letters, digits and symbols.
    Ascii,
    /// 2 to 256 distinct characters, as given (repetitions in the text count once).
    Custom(String),
}

impl Charset {
    /// The sets that need no further setting.
    pub(super) const NAMED: [Charset; 9] = [
        Self::Alphanumeric,
        Self::Alpha,
        Self::Numeric,
        Self::Lower,
        Self::Upper,
        Self::Hex,
        Self::Safe,
        Self::Symbols,
        Self::Ascii,
    ];

    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Alphanumeric => "alphanumeric",
            Self::Alpha => "alpha",
            Self::Numeric => "numeric",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Hex => "hex",
            Self::Safe => "safe",
            Self::Symbols => "symbols",
            Self::Ascii => "ascii",
            Self::Custom(_) => "custom",
        }
    }

    /// Each character once, in code order.
    pub fn characters(&self) -> Vec<char> {
        let ascii = |keep: fn(&char) -> bool| ('!'..='~').filter(keep).collect::<Vec<char>>();
        match self {
            Self::Alphanumeric => ascii(char::is_ascii_alphanumeric),
            Self::Alpha => ascii(char::is_ascii_alphabetic),
            Self::Numeric => ascii(char::is_ascii_digit),
            Self::Lower => ascii(char::is_ascii_lowercase),
            Self::Upper => ascii(char::is_ascii_uppercase),
            Self::Hex => ascii(|c| c.is_ascii_digit() || ('a'..='f').contains(c)),
            Self::Safe => ascii(|c| c.is_ascii_alphanumeric() || "-_.~".contains(*c)),
            Self::Symbols => ascii(char::is_ascii_punctuation),
            Self::Ascii => ascii(char::is_ascii_graphic),
            Self::Custom(text) => {
                let mut characters: Vec<char> = text.chars().collect();
                characters.sort_unstable();
                characters.dedup();
                characters
            }
        }
    }
}

/// Character classes, as a set: those that a value must have at least one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes {
    pub upper: bool,
    pub lower: bool,
    pub digit: bool,
    pub symbol: bool,
}

/// The setting that demands a class, and whether a character is of it.
pub(super) type Class = (&'static str, fn(char) -> bool);

impl Classes {
    /// The demanded ones.
    pub(super) fn demanded(self) -> Vec<Class> {
        let all: [(bool, Class); 4] = [
            (self.upper, ("require_upper", |c| c.is_ascii_uppercase())),
            (self.lower, ("require_lower", |c| c.is_ascii_lowercase())),
            (self.digit, ("require_digit", |c| c.is_ascii_digit())),
            (self.symbol, ("require_symbol", |c| c.is_ascii_punctuation())),
        ];
        all.into_iter().filter(|(demanded, _)| *demanded).map(|(_, class)| class).collect()
    }
}
