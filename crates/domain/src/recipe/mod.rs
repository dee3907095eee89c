//! Secret policies: recipes that make new values (contract 05).
//!
//! Wire shape and stored shape are one: `[{"name","generator","config"}]`. What is stored names every setting, also those
//! left to their default, so that a default changed in a later release does not change an existing recipe.

mod charset;
mod object;
mod parse;
mod random;
mod template;

use std::fmt;

use scaivault_crypto::entropy::Entropy;
use scaivault_crypto::error::CryptoError;
use serde_json::{Value, json};
use uuid::Builder;

pub use charset::{Charset, Classes};
pub use object::{builtin, members, overlay};
pub use random::Random;
pub use template::Template;

use crate::time::Timestamp;

/// The generators that this server has, as an unknown one is told.
pub const GENERATORS: [&str; 5] = ["random", "hex", "uuid", "template", "static"];

/// How many fields a recipe may have.
pub const MAX_FIELDS: usize = 20;

/// The longest generated string and the longest template, in characters.
pub const MAX_LENGTH: u32 = 4096;

/// What is wrong with one field of a recipe (422).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFault {
    /// Dotted, from `fields` on: `fields[0].config.length`.
    pub field: String,
    pub kind: RecipeFaultKind,
    pub message: String,
}

/// The `code` of the fault in an answer (contract 00 section 5); the names are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipeFaultKind {
    Conflict,
    Format,
    NotAllowed,
    Range,
    Required,
    Type,
    Unknown,
}

/// A valid recipe: 1 to 20 fields with distinct names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    fields: Vec<RecipeField>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeField {
    pub name: String,
    pub generator: Generator,
}

/// How one value is made (contract 05 section 2).
#[derive(Clone, PartialEq, Eq)]
pub enum Generator {
    Random(Random),
    /// Lower-case hex characters; the length counts characters.
    Hex {
        length: u32,
    },
    UuidV4,
    /// Begins with the time it was made at, in milliseconds.
    UuidV7,
    Template(Template),
    Static {
        value: String,
    },
}

impl Recipe {
    /// Reads the JSON text of `fields`. Never loses a fault: all are given.
    ///
    /// # Errors
    /// Every fault of contract 05 sections 1 and 2, in the order of the fields.
    pub fn parse(fields: &str) -> Result<Recipe, Vec<RecipeFault>> {
        parse::recipe(fields)
    }

    pub fn fields(&self) -> &[RecipeField] {
        &self.fields
    }

    /// The array `fields` of contract 05 section 1, every setting named. [`Recipe::parse`] reads its text back.
    pub fn to_json(&self) -> Value {
        self.fields.iter().map(RecipeField::to_json).collect()
    }

    /// Makes the values, in the order of the fields: (name, value). They are secrets: hand them on, don't keep them.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`] when the source of randomness fails.
    pub fn generate(&self, entropy: &dyn Entropy, now: Timestamp) -> Result<Vec<(String, String)>, CryptoError> {
        let make = |field: &RecipeField| Ok((field.name.clone(), field.generator.generate(entropy, now)?));
        self.fields.iter().map(make).collect()
    }
}

impl RecipeField {
    fn to_json(&self) -> Value {
        let (generator, config) = self.generator.to_json();
        json!({"name": self.name, "generator": generator, "config": config})
    }
}

impl Generator {
    fn generate(&self, entropy: &dyn Entropy, now: Timestamp) -> Result<String, CryptoError> {
        match self {
            Self::Random(random) => random.generate(entropy),
            Self::Hex { length } => hex(entropy, *length),
            Self::UuidV4 => uuid_v4(entropy),
            Self::UuidV7 => uuid_v7(entropy, now),
            Self::Template(template) => template.fill(entropy, now),
            Self::Static { value } => Ok(value.clone()),
        }
    }

    fn to_json(&self) -> (&'static str, Value) {
        match self {
            Self::Random(random) => ("random", random.to_json()),
            Self::Hex { length } => ("hex", json!({"length": length})),
            Self::UuidV4 => ("uuid", json!({"version": 4})),
            Self::UuidV7 => ("uuid", json!({"version": 7})),
            Self::Template(template) => ("template", json!({"template": template.as_str()})),
            Self::Static { value } => ("static", json!({"value": value})),
        }
    }
}

impl fmt::Debug for Generator {
    /// Names the generator only: what `static` or a template holds may be as good as the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_json().0)
    }
}

fn hex(entropy: &dyn Entropy, length: u32) -> Result<String, CryptoError> {
    random::draw(entropy, &charset::HEX, length)
}

fn uuid_v4(entropy: &dyn Entropy) -> Result<String, CryptoError> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid().to_string())
}

fn uuid_v7(entropy: &dyn Entropy, now: Timestamp) -> Result<String, CryptoError> {
    let mut bytes = [0; 10];
    entropy.fill(&mut bytes)?;
    // UUIDs know no time before 1970.
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or_default();
    Ok(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string())
}

#[cfg(test)]
mod tests;
