//! Where the two databases are: from the command line, a variable or a file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use scaivault_crypto::bytes::SecretString;
use scaivault_store::copy::Place;
use scaivault_store::{PostgresAddress, SqliteLocation};

use crate::cli::environment::variable;
use crate::failure::Failure;

/// A longer file is no URL.
const LONGEST: u64 = 16 * 1024;

// One of the three; no doc comment: it would stand in the help.
#[derive(Debug, Args)]
#[group(id = "source", required = true, multiple = false)]
pub(super) struct Source {
    /// The database to copy: sqlite:<file> or postgresql://..., without a password
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The variable that holds the URL of the database to copy
    #[arg(long, value_name = "NAME")]
    from_env: Option<String>,
    /// The file that holds the URL of the database to copy
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(id = "destination", required = true, multiple = false)]
pub(super) struct Destination {
    /// The database to fill: sqlite:<file> or postgresql://..., without a password
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The variable that holds the URL of the database to fill
    #[arg(long, value_name = "NAME")]
    to_env: Option<String>,
    /// The file that holds the URL of the database to fill
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
}

impl Source {
    pub(super) fn place(&self) -> Result<Place, Failure> {
        place("--from", self.from.as_deref(), self.from_env.as_deref(), self.from_file.as_deref())
    }
}

impl Destination {
    pub(super) fn place(&self) -> Result<Place, Failure> {
        place("--to", self.to.as_deref(), self.to_env.as_deref(), self.to_file.as_deref())
    }
}

fn place(flag: &str, url: Option<&str>, name: Option<&str>, file: Option<&Path>) -> Result<Place, Failure> {
    let fault = |flag: String, text: &str| Failure::usage(format!("{flag} {text}"));
    if let Some(url) = url {
        if has_password(url) {
            return Err(Failure::usage(format!(
                "{flag}: a URL with a password is not taken from the command line, which everybody on this machine can read; put it into a variable and name that with {flag}-env, or into a file and name that with {flag}-file"
            )));
        }
        return parse(url).map_err(|text| fault(flag.to_owned(), &text));
    }
    let (flag, text) = match (name, file) {
        (Some(name), _) => {
            let flag = format!("{flag}-env");
            let text = variable(name).and_then(|value| value.into_string().ok());
            let text = text.ok_or_else(|| fault(flag.clone(), "names a variable that is not set, or is not UTF-8"))?;
            (flag, SecretString::new(text))
        }
        (None, Some(file)) => {
            let flag = format!("{flag}-file");
            let text = content(file).map_err(|text| fault(flag.clone(), &text))?;
            (flag, text)
        }
        (None, None) => return Err(fault(flag.to_owned(), "is missing")),
    };
    parse(text.expose()).map_err(|text| fault(flag, &text))
}

fn content(file: &Path) -> Result<SecretString, String> {
    let unreadable = |error: std::io::Error| format!("names a file that can't be read ({})", error.kind());
    let mut text = String::with_capacity(LONGEST as usize + 2);
    File::open(file).map_err(unreadable)?.take(LONGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LONGEST {
        return Err("names a file that is too long for a URL".to_owned());
    }
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(SecretString::new(text))
}

/// What is wrong with it, without its text: there may be a password in it.
fn parse(url: &str) -> Result<Place, String> {
    if let Some(file) = url.strip_prefix("sqlite:") {
        // Both `sqlite:/x` and the URL form `sqlite:///x` are usual.
        let file = PathBuf::from(file.strip_prefix("//").unwrap_or(file));
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        return match parent {
            _ if file.as_os_str().is_empty() => Err("names no file after sqlite:".to_owned()),
            Some(parent) if !parent.is_dir() => Err(format!("the directory {} does not exist", parent.display())),
            _ if file.is_dir() => Err(format!("{} is a directory; name the file in it", file.display())),
            _ => Ok(Place::Sqlite(SqliteLocation { file })),
        };
    }
    if url.starts_with("postgresql://") || url.starts_with("postgres://") {
        return PostgresAddress::parse(url).map(|address| Place::Postgres(Box::new(address)));
    }
    Err("must begin with sqlite: or postgresql://".to_owned())
}

/// Whether a text, be it a good URL or not, looks as if it held one.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let named = options.split('&').any(|option| {
        let name = option.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("password") || name.eq_ignore_ascii_case("sslpassword")
    });
    let in_front = |user: &str| user.contains(':');
    named || (!url.starts_with("sqlite:") && place.rsplit_once('@').is_some_and(|(user, _)| in_front(user)))
}

/// Whether both are the same file.
pub(super) fn are_same(from: &Place, to: &Place) -> bool {
    match (from, to) {
        (Place::Sqlite(from), Place::Sqlite(to)) => {
            from.file == to.file
                || from.file.canonicalize().is_ok_and(|from| to.file.canonicalize().is_ok_and(|to| from == to))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_on_the_command_line_is_seen() {
        for url in [
            "postgresql://me:pw@db/vault",
            "postgresql://me:@db/vault",
            "postgresql://me:p@w/x@db/vault",
            "postgres://db/vault?user=me&password=x",
            "postgresql://me@db/vault?sslmode=require&PASSWORD=x",
            "me:pw@db/vault",
        ] {
            assert!(has_password(url), "{url}");
        }
        for url in
            ["postgresql://me@db:5432/vault", "postgresql://me@[::1]:5432/vault?sslmode=disable", "sqlite:/a:b@c"]
        {
            assert!(!has_password(url), "{url}");
        }
    }

    #[test]
    fn urls_are_read_and_never_shown() {
        assert!(matches!(parse("sqlite:///a.db"), Ok(Place::Sqlite(location)) if location.file == Path::new("/a.db")));
        assert!(matches!(parse("sqlite:a.db"), Ok(Place::Sqlite(location)) if location.file == Path::new("a.db")));
        assert!(matches!(parse("postgresql://me:s3cret@db/vault"), Ok(Place::Postgres(_))));
        for url in [
            "mysql://s3cret@db",
            "sqlite:",
            "postgresql://:s3cret@db/vault",
            "",
            "postgresql://me:s3cret@db/v?sslmode=maybe",
        ] {
            let fault = parse(url).unwrap_err();
            assert!(!fault.contains("s3cret"), "{fault}");
        }
    }
}
