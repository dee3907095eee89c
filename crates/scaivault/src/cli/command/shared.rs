//! Arguments and bodies that several groups have.

use std::path::PathBuf;

use clap::Args;
use scaivault_domain::path::SecretPath;
use serde_json::Value;

use crate::cli::ask;
use crate::cli::client::Body;
use crate::failure::Failure;

/// Refused here: an address with such a path could mean another one before the server sees it.
pub(super) fn path(text: &str) -> Result<SecretPath, String> {
    SecretPath::parse(text).map_err(|error| format!("invalid_path: {error}"))
}

/// A JSON object in a file. Flags are laid over it.
#[derive(Debug, Args)]
pub(crate) struct FromFile {
    /// JSON object with the fields of the API; `-` reads standard input. Flags win over it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl FromFile {
    pub(super) fn body(&self) -> Result<Body, Failure> {
        let Some(file) = &self.file else { return Ok(Body::new()) };
        Body::from_json(&ask::content(file)?, &ask::name(file))
    }
}

/// Refuses a change that changes nothing: whoever typed it meant something.
pub(super) fn something(body: Body) -> Result<Body, Failure> {
    if body.is_empty() { Err(Failure::usage("nothing to change was given; see --help")) } else { Ok(body) }
}

/// An empty text clears a field.
pub(super) fn or_null(text: String) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// With the secret that signs deliveries, if a file holds one.
pub(super) fn signed(body: Body, file: Option<PathBuf>) -> Result<Body, Failure> {
    match file {
        Some(file) => Ok(body.with("secret", ask::secret_line(&file)?.expose())),
        None => Ok(body),
    }
}
