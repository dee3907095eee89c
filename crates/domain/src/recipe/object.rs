//! Recipes meet data: which field the built-in recipe renews, and generated values laid over what is there.
//!
//! The data is JSON text, not a tree: key order and the text of numbers come back as they were sent (contract 00 section 1).

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Charset, Classes, Generated, Generator, Random, Recipe, RecipeField};

/// The keys that the built-in recipe knows (contract 05 section 3).
const USUAL: [&str; 7] = ["password", "secret", "token", "api_key", "client_secret", "key", "value"];

/// The built-in recipe for a secret's data: 32 characters of `safe` for its only string field, or else for the only usual
/// key it has (contract 05 section 3). `None` when there is no such field, or `data` is no JSON object.
pub fn builtin(data: &str) -> Option<Recipe> {
    let members = members(data)?;
    let strings = members.iter().filter(|(_, value)| value.get().starts_with('"'));
    let usual = members.iter().filter(|(key, _)| USUAL.contains(&key.as_ref()));
    let (name, _) = only(strings).or_else(|| only(usual))?;
    let random = Random::new(32, Charset::Safe, Classes::default()).ok()?;
    Some(Recipe { fields: vec![RecipeField { name: name.to_string(), generator: Generator::Random(random) }] })
}

/// The data with the generated values in it: a field that is there keeps its place, a new one comes last. `None` when `data`
/// is no JSON object.
pub fn overlay(data: &str, generated: &[Generated]) -> Option<String> {
    let members = members(data)?;
    let added: usize = generated.iter().map(|(name, value)| 6 * (name.len() + value.len()) + 8).sum();
    // No growing: a buffer that moves leaves a copy of a secret behind.
    let mut out = Vec::with_capacity(data.len() + added);
    for (key, value) in &members {
        write_key(&mut out, key)?;
        match generated.iter().find(|(name, _)| name == key) {
            Some((_, new)) => serde_json::to_writer(&mut out, new.expose()).ok()?,
            None => out.extend_from_slice(value.get().as_bytes()),
        }
    }
    for (name, new) in generated.iter().filter(|(name, _)| !members.iter().any(|(key, _)| key == name)) {
        write_key(&mut out, name)?;
        serde_json::to_writer(&mut out, new.expose()).ok()?;
    }
    out.extend_from_slice(if out.is_empty() { b"{}" } else { b"}" });
    String::from_utf8(out).ok()
}

/// The members of a JSON object in the order of the text, keys decoded, values as text. `None` when it is no JSON object.
pub fn members(object: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Members<'_>>(object).ok().map(|members| members.0)
}

fn write_key(out: &mut Vec<u8>, key: &str) -> Option<()> {
    out.push(if out.is_empty() { b'{' } else { b',' });
    serde_json::to_writer(&mut *out, key).ok()?;
    out.push(b':');
    Some(())
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// `Cow<str>` in serde always owns; this borrows where it can.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(Members(members))
    }
}
