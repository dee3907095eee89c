//! Secret policies: recipes that make new values (contract 05).
//!
//! Wire shape and stored shape are one: `[{"name","generator","config"}]`. What is stored names every setting, also those
//! left to their default, so that a default changed in a later release does not change an existing recipe.

mod charset;
mod object;
mod pair;
mod parse;
mod parse_pair;
mod random;
mod template;

use std::fmt;

use scaivault_crypto::SecretString;
use scaivault_crypto::entropy::Entropy;
use scaivault_crypto::error::CryptoError;
use serde_json::{Value, json};
use uuid::Builder;

pub use charset::{Charset, Classes};
pub use object::{builtin, members, overlay};
pub use pair::{Pair, PairKind};
pub use random::Random;
pub use template::Template;

use crate::time::Timestamp;

/// The generators that this server has, as an unknown one is told.
pub const GENERATORS: [&str; 9] =
    ["random", "hex", "uuid", "template", "rsa_keypair", "ec_keypair", "ssh_keypair", "bcrypt_hash", "static"];

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

/// A generated value and the name it goes to.
pub type Generated = (String, SecretString);

/// A valid recipe: 1 to 20 fields, no two outputs of one name.
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
    /// The ones with two outputs.
    Pair(Pair),
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

    /// Whether [`Self::generate`] takes from tenths of a second to many seconds: never do it inside a transaction.
    pub fn is_slow(&self) -> bool {
        self.fields.iter().any(|field| matches!(&field.generator, Generator::Pair(pair) if pair.kind.is_slow()))
    }

    /// The names of all that [`Self::generate`] makes, in its order.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().flat_map(RecipeField::outputs).map(|(_, name)| name)
    }

    /// Makes the values, in the order of the fields; of two outputs the second comes at once after the first.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`] when the source of randomness fails, others when the cryptographic library does.
    pub fn generate(&self, entropy: &dyn Entropy, now: Timestamp) -> Result<Vec<Generated>, CryptoError> {
        let mut made = Vec::new();
        for field in &self.fields {
            let (first, second) = field.generator.generate(entropy, now)?;
            let names = field.outputs().map(|(_, name)| name.to_owned());
            made.extend(names.zip([Some(first), second].into_iter().flatten()));
        }
        Ok(made)
    }
}

impl RecipeField {
    /// The setting that names an output, from the field on, and the name.
    fn outputs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let second = match &self.generator {
            Generator::Pair(pair) => Some((pair.kind.second_setting(), pair.second.as_str())),
            _ => None,
        };
        [("name", self.name.as_str())].into_iter().chain(second)
    }

    fn to_json(&self) -> Value {
        let (generator, config) = self.generator.to_json();
        json!({"name": self.name, "generator": generator, "config": config})
    }
}

impl Generator {
    fn generate(
        &self,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<(SecretString, Option<SecretString>), CryptoError> {
        let only = match self {
            Self::Random(random) => random.generate(entropy)?,
            Self::Hex { length } => hex(entropy, *length)?,
            Self::UuidV4 => uuid_v4(entropy)?,
            Self::UuidV7 => uuid_v7(entropy, now)?,
            Self::Template(template) => template.fill(entropy, now)?,
            Self::Pair(pair) => {
                let (first, second) = pair.kind.generate(entropy)?;
                return Ok((first, Some(second)));
            }
            Self::Static { value } => value.clone(),
        };
        Ok((SecretString::new(only), None))
    }

    fn to_json(&self) -> (&'static str, Value) {
        match self {
            Self::Random(random) => ("random", random.to_json()),
            Self::Hex { length } => ("hex", json!({"length": length})),
            Self::UuidV4 => ("uuid", json!({"version": 4})),
            Self::UuidV7 => ("uuid", json!({"version": 7})),
            Self::Template(template) => ("template", json!({"template": template.as_str()})),
            Self::Pair(pair) => pair.to_json(),
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
