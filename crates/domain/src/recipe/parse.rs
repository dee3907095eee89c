//! Reads and checks a recipe, noting every fault.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::charset::CUSTOM_SIZE;
use super::parse_pair::pair;
use super::{
    Charset, Classes, GENERATORS, Generator, MAX_FIELDS, MAX_LENGTH, Random, Recipe, RecipeFault, RecipeField,
};
use super::{RecipeFaultKind as Kind, Template};

/// A fault was noted; there is nothing more to say.
pub(super) struct Noted;

pub(super) const BAD_NAME: &str = "must be 1 to 128 of the characters A-Z a-z 0-9 _ . -";

pub(super) fn recipe(text: &str) -> Result<Recipe, Vec<RecipeFault>> {
    let mut faults = Vec::new();
    let fields = read(text, &mut faults);
    if faults.is_empty() { Ok(Recipe { fields }) } else { Err(faults) }
}

fn read(text: &str, faults: &mut Vec<RecipeFault>) -> Vec<RecipeField> {
    // The one JSON that serde_json refuses here is a number beyond f64.
    let Ok(Value::Array(items)) = serde_json::from_str(text) else {
        note(faults, "fields", Kind::Type, "must be an array of objects with numbers of usual size");
        return Vec::new();
    };
    if !(1..=MAX_FIELDS).contains(&items.len()) {
        note(faults, "fields", Kind::Range, &format!("must have between 1 and {MAX_FIELDS} entries"));
        return Vec::new();
    }
    let mut names = HashSet::new();
    let mut fields = Vec::new();
    for (i, item) in items.into_iter().enumerate() {
        let at = format!("fields[{i}]");
        let Value::Object(object) = item else {
            note(faults, &at, Kind::Type, "must be an object");
            continue;
        };
        let Ok(field) = field(&at, object, faults) else { continue };
        for (setting, output) in field.outputs() {
            if !names.insert(output.to_owned()) {
                note(
                    faults,
                    &format!("{at}.{setting}"),
                    Kind::Conflict,
                    "must differ from the names of all other outputs",
                );
            }
        }
        fields.push(field);
    }
    fields
}

fn field(at: &str, object: Map<String, Value>, faults: &mut Vec<RecipeFault>) -> Result<RecipeField, Noted> {
    let mut settings = Settings { at: at.to_owned(), object, faults };
    let name = settings
        .require("name", "a string", string)
        .and_then(|name| if is_name(&name) { Ok(name) } else { Err(settings.fault("name", Kind::Format, BAD_NAME)) });
    let kind = settings.require("generator", "a string", string);
    let config = settings.get("config", "an object", |value| value.as_object().cloned());
    settings.no_others();
    let kind = kind?;
    if !GENERATORS.contains(&kind.as_str()) {
        return Err(settings.fault("generator", Kind::Format, &format!("must be one of {}", GENERATORS.join(", "))));
    }
    let mut config = Settings { at: format!("{at}.config"), object: config?.unwrap_or_default(), faults };
    let generator = generator(&kind, name.as_ref().map(String::as_str).unwrap_or_default(), &mut config);
    config.no_others();
    Ok(RecipeField { name: name?, generator: generator? })
}

/// `kind` is one of [`GENERATORS`].
fn generator(kind: &str, name: &str, config: &mut Settings<'_>) -> Result<Generator, Noted> {
    match kind {
        "random" => random(config).map(Generator::Random),
        "hex" => Ok(Generator::Hex { length: config.length(MAX_LENGTH)? }),
        "uuid" => match config.get("version", "an integer", Value::as_i64)?.unwrap_or(4) {
            4 => Ok(Generator::UuidV4),
            7 => Ok(Generator::UuidV7),
            _ => Err(config.fault("version", Kind::Range, "must be 4 or 7")),
        },
        "template" => {
            let text = config.require("template", "a string", string)?;
            let template = Template::parse(&text).map_err(|fault| config.fault("template", Kind::Format, &fault))?;
            Ok(Generator::Template(template))
        }
        "rsa_keypair" | "ec_keypair" | "ssh_keypair" | "bcrypt_hash" => pair(kind, name, config).map(Generator::Pair),
        _ => Ok(Generator::Static { value: config.require("value", "a string", string)? }),
    }
}

fn random(config: &mut Settings<'_>) -> Result<Random, Noted> {
    let length = config.length(MAX_LENGTH);
    let charset = charset(config);
    let mut demanded = |name| config.get(name, "a boolean", Value::as_bool).map(Option::unwrap_or_default);
    let classes =
        (demanded("require_upper"), demanded("require_lower"), demanded("require_digit"), demanded("require_symbol"));
    let require = Classes { upper: classes.0?, lower: classes.1?, digit: classes.2?, symbol: classes.3? };
    Random::new(length?, charset?, require).map_err(|(setting, fault)| config.fault(setting, Kind::Range, &fault))
}

fn charset(config: &mut Settings<'_>) -> Result<Charset, Noted> {
    let name = config.get("charset", "a string", string);
    let custom = config.get("custom_charset", "a string", string);
    let (name, custom) = (name?.unwrap_or_else(|| "alphanumeric".to_owned()), custom?);
    match (Charset::NAMED.into_iter().find(|set| set.as_str() == name), custom) {
        (Some(set), None) => Ok(set),
        (Some(_), Some(_)) => {
            Err(config.fault("custom_charset", Kind::Conflict, "has no meaning without \"charset\": \"custom\""))
        }
        (None, Some(text)) if name == "custom" => {
            let set = Charset::Custom(text);
            if CUSTOM_SIZE.contains(&set.characters().len()) {
                Ok(set)
            } else {
                Err(config.fault("custom_charset", Kind::Range, "must have between 2 and 256 distinct characters"))
            }
        }
        (None, None) if name == "custom" => Err(config.fault("custom_charset", Kind::Required, "is required")),
        (None, _) => {
            let names: Vec<_> = Charset::NAMED.iter().map(Charset::as_str).collect();
            Err(config.fault("charset", Kind::Format, &format!("must be one of {}, custom", names.join(", "))))
        }
    }
}

/// The keys of one object; each is taken when it is read, so that what is left is unknown.
pub(super) struct Settings<'a> {
    at: String,
    object: Map<String, Value>,
    faults: &'a mut Vec<RecipeFault>,
}

impl Settings<'_> {
    pub(super) fn get<T>(&mut self, name: &str, what: &str, read: fn(&Value) -> Option<T>) -> Result<Option<T>, Noted> {
        let Some(value) = self.object.remove(name) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| self.fault(name, Kind::Type, &format!("must be {what}")))
    }

    fn require<T>(&mut self, name: &str, what: &str, read: fn(&Value) -> Option<T>) -> Result<T, Noted> {
        self.get(name, what, read)?.ok_or_else(|| self.fault(name, Kind::Required, "is required"))
    }

    /// `length`, 32 by default.
    pub(super) fn length(&mut self, max: u32) -> Result<u32, Noted> {
        self.number("length", 32, 1..=max)
    }

    pub(super) fn number(&mut self, name: &str, default: u32, range: RangeInclusive<u32>) -> Result<u32, Noted> {
        let given = self.get(name, "an integer", Value::as_i64)?.unwrap_or(default.into());
        let number = u32::try_from(given).ok().filter(|number| range.contains(number));
        let message = || format!("must be between {} and {}", range.start(), range.end());
        number.ok_or_else(|| self.fault(name, Kind::Range, &message()))
    }

    fn no_others(&mut self) {
        for (name, _) in std::mem::take(&mut self.object) {
            // The client's own word: shown, but not at any length.
            let shown: String = name.chars().take(128).collect();
            self.fault(&shown, Kind::Unknown, "is not a known field");
        }
    }

    pub(super) fn fault(&mut self, name: &str, kind: Kind, message: &str) -> Noted {
        note(self.faults, &format!("{}.{name}", self.at), kind, message);
        Noted
    }
}

pub(super) fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(known)
}

pub(super) fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn note(faults: &mut Vec<RecipeFault>, field: &str, kind: Kind, message: &str) {
    faults.push(RecipeFault { field: field.to_owned(), kind, message: message.to_owned() });
}
