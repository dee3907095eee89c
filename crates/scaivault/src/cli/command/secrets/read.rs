//! `secrets read`

use clap::Args;
use scaivault_domain::path::SecretPath;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Space;
use crate::cli::client::{Answer, get};
use crate::cli::command::shared::path;
use crate::cli::session::Session;
use crate::cli::show::Lines;
use crate::cli::show::json::{Object, bare, object, plain};
use crate::failure::Failure;
use crate::output;

/// Read a value
#[derive(Debug, Args)]
#[command(after_help = "\
With --field the bare value is printed: a text as it is, anything else as JSON. Behind a pipe nothing is added to it,
not even a line break. A field that is not there exits with 4.

Examples:
  scaivault secrets read app/db
  PGPASSWORD=$(scaivault secrets read app/db --field password) psql ...
  scaivault secrets read app/tls --field key_pem > key.pem
  scaivault secrets read app/db --version 2 --json")]
pub(crate) struct Read {
    #[arg(value_parser = path)]
    path: SecretPath,
    /// An older version, by its number
    #[arg(long, value_name = "N", conflicts_with = "at")]
    version: Option<u64>,
    /// What was current at that time, as 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Also versions whose grace after a rotation is over; needs permission admin
    #[arg(long)]
    include_retired: bool,
    /// Print this field of the value and nothing else
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    field: Option<String>,
}

impl Read {
    pub(crate) async fn run(self, space: Space, session: &Session) -> Result<(), Failure> {
        let request = get(space.address())
            .path(&self.path)
            .query("version", self.version)
            .query("at", self.at)
            .flag("include_retired", self.include_retired);
        let Some(field) = self.field else { return session.perform(request.custom(text)).await };
        let answer = session.client.send(&request).await?;
        let data = data(&answer)?;
        let value = data.get(&field).ok_or_else(|| missing(&self.path, &field, &data))?;
        session.print(bare(value).as_bytes())?;
        session.print(output::line_end())
    }
}

/// The value of a secret.
pub(in crate::cli::command) fn data(answer: &Answer) -> Result<Object<'_>, Failure> {
    let secret: Object<'_> = answer.read()?;
    secret.get("data").and_then(object).ok_or_else(|| Failure::general("the answer holds no value"))
}

pub(in crate::cli::command) fn missing(path: &SecretPath, field: &str, data: &Object<'_>) -> Failure {
    let names: Vec<&str> = data.iter().map(|(name, _)| name).collect();
    let names = if names.is_empty() { "no fields".to_owned() } else { names.join(", ") };
    Failure::not_found(format!("field_not_found: {path} has no field {field}; it has {names}"))
}

fn text(answer: &Answer) -> Result<Zeroizing<String>, Failure> {
    let secret: Object<'_> = answer.read()?;
    let mut lines = Lines::default();
    for name in ["path", "secret_type", "version", "version_created_at", "expires_at", "readable_until"] {
        // What is not so is not worth a line.
        if let Some(value) = secret.get(name).filter(|value| value.get() != "null") {
            lines.add(name, &plain(Some(value)));
        }
    }
    let mut text = lines.text();
    let values = values(&data(answer)?);
    if !values.is_empty() {
        text.push('\n');
        text.push_str(&values);
    }
    Ok(text)
}

/// The fields of a value, one a line.
pub(in crate::cli::command) fn values(data: &Object<'_>) -> Zeroizing<String> {
    let mut lines = Lines::default();
    data.iter().for_each(|(name, value): (&str, &RawValue)| lines.add(name, &bare(value)));
    lines.text()
}
