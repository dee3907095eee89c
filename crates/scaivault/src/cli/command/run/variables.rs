//! Which variables get which values.

use std::collections::BTreeMap;
use std::str::FromStr;

use scaivault_crypto::bytes::SecretString;
use scaivault_domain::path::SecretPath;

use super::obeyed::is_obeyed;
use crate::cli::client::{Answer, Body, get};
use crate::cli::command::batch::read_request;
use crate::cli::command::secrets::read::missing;
use crate::cli::command::shared::path;
use crate::cli::environment::variable;
use crate::cli::session::Session;
use crate::cli::show::json::{Object, bare, list, object};
use crate::failure::Failure;

/// As many paths as one request may name.
const PATHS_A_REQUEST: usize = 100;

/// `NAME=path[#field]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    name: String,
    path: SecretPath,
    field: Option<String>,
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, place) = text.split_once('=').ok_or("a variable is NAME=PATH or NAME=PATH#FIELD")?;
        if !is_name(name) {
            return Err("the name of a variable has letters, digits and _, and does not begin with a digit".to_owned());
        }
        let (place, field) = match place.split_once('#') {
            Some((_, "")) => return Err("there is no field behind the #".to_owned()),
            Some((place, field)) => (place, Some(field.to_owned())),
            None => (place, None),
        };
        Ok(Self { name: name.to_owned(), path: path(place)?, field })
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|char: char| char.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The wishes in `SECRETS`, a line each.
pub(super) fn from_environment() -> Result<Vec<Wish>, Failure> {
    let text = variable("SECRETS").map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.parse().map_err(|error| Failure::usage(format!("SECRETS: {error}")))).collect()
}

pub(super) type Variables = BTreeMap<String, SecretString>;

/// Everything below a prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Below<'a> {
    pub(super) prefix: &'a str,
    /// Whether its secrets may replace variables that are there already.
    pub(super) overrides: bool,
}

/// Reads what is wished for. All of it or nothing.
pub(super) async fn fetch(
    session: &Session,
    wishes: &[Wish],
    everything: Option<Below<'_>>,
) -> Result<Variables, Failure> {
    let mut variables = Variables::new();
    if let Some(Below { prefix, overrides }) = everything {
        let is_set = |name: &str| !overrides && variable(name).is_some();
        let paths = below(session, prefix).await?;
        read(session, &paths, |path, data| {
            for (field, value) in data.iter() {
                let name = derived(path.as_str().strip_prefix(prefix).unwrap_or(path.as_str()), field);
                // Whoever runs the command said what this one is to be.
                if wishes.iter().any(|wish| wish.name == name) {
                    continue;
                }
                check(&name, is_set)?;
                if variables.insert(name.clone(), text(&name, &bare(value))?).is_some() {
                    return Err(Failure::usage(format!(
                        "two secrets below {prefix} make the variable {name}: use --env"
                    )));
                }
            }
            Ok(())
        })
        .await?;
    }
    let mut paths: Vec<SecretPath> = Vec::new();
    for wish in wishes {
        if !paths.contains(&wish.path) {
            paths.push(wish.path.clone());
        }
    }
    read(session, &paths, |path, data| {
        for wish in wishes.iter().filter(|wish| wish.path == *path) {
            let value = wish.value(data)?;
            variables.insert(wish.name.clone(), value);
        }
        Ok(())
    })
    .await?;
    Ok(variables)
}

impl Wish {
    fn value(&self, data: &Object<'_>) -> Result<SecretString, Failure> {
        let fallback = self.name.to_ascii_lowercase();
        let named = self.field.as_deref().unwrap_or(&fallback);
        let only = || {
            let mut fields = data.iter();
            let first = fields.next().map(|(_, value)| value);
            if self.field.is_none() && fields.next().is_none() { first } else { None }
        };
        let value = data.get(named).or_else(only).ok_or_else(|| missing(&self.path, named, data))?;
        text(&self.name, &bare(value))
    }
}

fn text(name: &str, value: &str) -> Result<SecretString, Failure> {
    if value.contains('\0') {
        return Err(Failure::usage(format!("the value for {name} holds a zero byte, which no variable can")));
    }
    Ok(SecretString::new(value.to_owned()))
}

/// The variable for a field of a secret below a prefix.
fn derived(rest: &str, field: &str) -> String {
    let joined = [rest.trim_matches('/'), field].join("_");
    let joined = joined.trim_start_matches('_');
    let name: String =
        joined.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' }).collect();
    if is_name(&name) { name } else { format!("_{name}") }
}

/// Whether a variable may be set by whoever may write a secret.
fn check(name: &str, is_set: impl Fn(&str) -> bool) -> Result<(), Failure> {
    if is_obeyed(name) {
        return Err(Failure::usage(format!(
            "a secret below the prefix would set {name}, which programs obey: use --env"
        )));
    }
    if is_set(name) {
        return Err(Failure::usage(format!(
            "a secret below the prefix would replace {name}, which is set already: use --env for it, or --override for all"
        )));
    }
    Ok(())
}

async fn below(session: &Session, prefix: &str) -> Result<Vec<SecretPath>, Failure> {
    let mut paths = Vec::new();
    for page in session.pages(get("/v1/secrets").query("prefix", Some(prefix)).query("limit", Some(200))).await? {
        let page: Object<'_> = page.read()?;
        for item in page.get("secrets").and_then(list).unwrap_or_default() {
            let found = object(item).and_then(|item| item.string("path"));
            paths.extend(found.and_then(|path| SecretPath::parse(&path).ok()));
        }
    }
    Ok(paths)
}

/// Reads all values and hands each over once. One that fails fails all.
async fn read(
    session: &Session,
    paths: &[SecretPath],
    mut take: impl FnMut(&SecretPath, &Object<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for paths in paths.chunks(PATHS_A_REQUEST) {
        let options = Body::new().with("fail_fast", true);
        let answer: Answer = session.client.send(&read_request(paths, &options)).await?;
        let body: Object<'_> = answer.read()?;
        let secrets = body.get("secrets").and_then(object);
        for path in paths {
            let secret = secrets.as_ref().and_then(|secrets| secrets.get(path.as_str())).and_then(object);
            let data = secret.and_then(|secret| secret.get("data")).and_then(object);
            take(path, &data.ok_or_else(|| Failure::general(format!("the answer lacks {path}")))?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read() {
        let wish: Wish = "PGPASSWORD=app/db#password".parse().unwrap();
        assert_eq!(
            (wish.name.as_str(), wish.path.as_str(), wish.field.as_deref()),
            ("PGPASSWORD", "app/db", Some("password"))
        );
        for bad in ["", "A", "=a", "1A=a", "A B=a", "A=a//b", "A=a#", "A="] {
            assert!(bad.parse::<Wish>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_field_is_named_or_alone() {
        let data = |json| serde_json::from_str::<Object<'_>>(json).unwrap();
        let value =
            |wish: &str, json| wish.parse::<Wish>().unwrap().value(&data(json)).map(|value| value.expose().to_owned());
        assert_eq!(value("KEY=a", r#"{"key":"k","other":1}"#).unwrap(), "k");
        assert_eq!(value("KEY=a", r#"{"other":{"n":1.0}}"#).unwrap(), r#"{"n":1.0}"#);
        assert_eq!(value("KEY=a", r#"{"x":1,"y":2}"#).unwrap_err().exit_code, 4);
        assert_eq!(value("KEY=a#z", r#"{"x":1}"#).unwrap_err().exit_code, 4);
        assert_eq!(value("KEY=a#x", "{\"x\":\"\\u0000\"}").unwrap_err().exit_code, 5);
    }

    #[test]
    fn names_below_a_prefix_are_derived() {
        assert_eq!(derived("db", "password"), "DB_PASSWORD");
        assert_eq!(derived("/db-1/x.y", "key"), "DB_1_X_Y_KEY");
        assert_eq!(derived("", "token"), "TOKEN");
        assert_eq!(derived("2fa", "seed"), "_2FA_SEED");
    }

    #[test]
    fn what_is_obeyed_or_set_is_refused() {
        for (rest, field) in [("ld", "preload"), ("", "path"), ("node", "options"), ("dyld", "x"), ("https", "proxy")] {
            assert_eq!(check(&derived(rest, field), |_| false).unwrap_err().exit_code, 5);
        }
        assert!(check("DB_PASSWORD", |_| false).is_ok());
        let refused = check("DB_PASSWORD", |name| name == "DB_PASSWORD").unwrap_err();
        assert!(refused.exit_code == 5 && refused.line.contains("--override"), "{}", refused.line);
    }
}
