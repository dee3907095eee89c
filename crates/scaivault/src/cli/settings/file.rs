//! `~/.scaivault/config.json`: an object of texts, for its owner alone.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::warn;
use crate::failure::Failure;

/// The names that `config set` takes. Others in the file are left alone: another version may know them.
pub(crate) const NAMES: [&str; 3] = ["base_url", "tenant_id", "partner_id"];

#[derive(Default)]
pub(crate) struct File(Map<String, Value>);

impl File {
    /// Reads the file; none is an empty one.
    ///
    /// # Errors
    /// It can't be read, is no JSON object of texts, or holds a token that others can read.
    pub(crate) fn load() -> Result<Self, Failure> {
        let Some(path) = path() else { return Ok(Self::default()) };
        let fault = |error: io::Error| Failure::usage(format!("{} can't be read: {error}", path.display()));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(fault(error)),
        };
        let file = Self::parse(&bytes)
            .ok_or_else(|| Failure::usage(format!("{} is not a JSON object: correct or remove it", path.display())))?;
        if is_open(&path).map_err(fault)? {
            let what = format!("{} can be read or changed by others", path.display());
            let remedy = format!("chmod 600 {}", path.display());
            if file.0.contains_key("token") {
                return Err(Failure::usage(format!(
                    "{what} and holds a token, so it is refused: {remedy}, and revoke the token if it may have been seen"
                )));
            }
            warn(format_args!("{what}: {remedy}"));
        }
        Ok(file)
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Failure::usage(format!("{name} in the configuration file must be a text"))),
        }
    }

    /// Sets a value; an empty one removes it.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    /// Writes it whole or not at all, readable by its owner alone. Answers where it stands.
    pub(crate) fn save(&self) -> Result<PathBuf, Failure> {
        let path =
            path().ok_or_else(|| Failure::general("HOME is not set: there is no place for a configuration file"))?;
        let text = Zeroizing::new(format!("{:#}\n", Value::Object(self.0.clone())));
        replace(&path, text.as_bytes())
            .map_err(|error| Failure::general(format!("{} can't be written: {error}", path.display())))?;
        Ok(path)
    }
}

fn path() -> Option<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
    Some(home.join(".scaivault").join("config.json"))
}

#[cfg(unix)]
fn is_open(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> io::Result<bool> {
    Ok(false)
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        make_private(dir)?;
    }
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    let replaced = written.and_then(|()| std::fs::rename(&beside, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    replaced
}

fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
