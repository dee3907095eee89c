//! `secrets write`

use std::path::{Path, PathBuf};

use clap::Args;
use scaivault_domain::path::SecretPath;
use zeroize::Zeroizing;

use super::Space;
use crate::cli::ask;
use crate::cli::client::{Body, put};
use crate::cli::command::shared::path;
use crate::cli::plan::Plan;
use crate::failure::Failure;

/// Write a new version
///
/// The fields given are the whole value: a field of the current version that is not among them is not in the new one.
#[derive(Debug, Args)]
#[command(after_help = "\
NAME=VALUE takes the text; everybody on this machine can see it while the command runs. NAME=@FILE takes a file and NAME=-
standard input, byte for byte; both must be UTF-8. A text that begins with @ goes by one of these, or by --json-file.

Examples:
  scaivault secrets write app/db user=app password=@password.txt
  openssl rand -hex 32 | tr -d '\\n' | scaivault secrets write app/key key=- --expires-in 90d
  scaivault secrets write app/config --json-file config.json --type json --tag prod
  scaivault secrets write app/db password=- --if-version 3       only if version 3 is still current")]
pub(crate) struct Write {
    #[arg(value_parser = path)]
    path: SecretPath,
    /// Fields of the value
    #[arg(value_name = "NAME=VALUE", required_unless_present = "json_file")]
    fields: Vec<String>,
    /// The whole value, a JSON object; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "fields")]
    json_file: Option<PathBuf>,
    /// kv, json, certificate, ssh_key or api_key
    #[arg(long = "type", value_name = "TYPE")]
    secret_type: Option<String>,
    /// As 90d or 12h
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
    /// Repeat it for several; together they replace the tags there are
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[arg(long)]
    owner: Option<String>,
    /// How many versions are kept
    #[arg(long, value_name = "N")]
    max_versions: Option<u32>,
    /// Rotation policy to attach
    #[arg(long, value_name = "ID")]
    rotation_policy: Option<String>,
    /// Secret policy to attach
    #[arg(long, value_name = "ID")]
    secret_policy: Option<String>,
    /// Only if this version is current; 0 = only if there is none
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Only if there is none yet
    #[arg(long, conflicts_with = "if_version")]
    create_only: bool,
}

impl Write {
    pub(crate) fn plan(self, space: Space) -> Result<Plan, Failure> {
        let data = match &self.json_file {
            Some(file) => Body::from_json(&ask::content(file)?, &ask::name(file))?,
            None => value(&self.fields)?,
        };
        let metadata =
            Body::new().maybe("description", self.description).list("tags", &self.tags).maybe("owner", self.owner);
        let options = Body::new()
            .maybe("expires_in", self.expires_in)
            .maybe("max_versions", self.max_versions)
            .maybe("rotation_policy_id", self.rotation_policy)
            .maybe("secret_policy_id", self.secret_policy);
        let body = Body::new()
            .data("data", &data)
            .maybe("secret_type", self.secret_type)
            .object("metadata", &metadata)
            .object("options", &options);
        let version = if self.create_only { Some(0) } else { self.if_version };
        Ok(put(space.address()).path(&self.path).if_version(version).body(body).details())
    }
}

/// The value that `NAME=VALUE` arguments describe.
fn value(fields: &[String]) -> Result<Body, Failure> {
    let mut data = Body::new();
    let mut stdin = 0;
    for field in fields {
        // The argument itself may be a value in the wrong place: it is not quoted.
        let (name, value) = field
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Failure::usage("a field is NAME=VALUE, NAME=@FILE or NAME=-"))?;
        if data.has(name) {
            return Err(Failure::usage(format!("the field {name} is given twice")));
        }
        let text = match value.strip_prefix('@') {
            Some(file) => text_of(Path::new(file))?,
            None if value == "-" => {
                stdin += 1;
                text_of(Path::new("-"))?
            }
            None => Zeroizing::new(value.to_owned()),
        };
        if stdin > 1 {
            return Err(Failure::usage("standard input can fill one field"));
        }
        data = data.with(name, text.as_str());
    }
    Ok(data)
}

/// All of it, unchanged.
fn text_of(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes = ask::content(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::usage(format!("{} is not UTF-8: encode it, as base64 say, and write that", ask::name(file)))
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(fields: &[&str]) -> Result<String, Failure> {
        value(&fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>()).map(|body| body.text().to_string())
    }

    #[test]
    fn fields_are_texts() {
        assert_eq!(text(&["a=1", "b=", "c==x=y"]).unwrap(), r#"{"a":"1","b":"","c":"=x=y"}"#);
    }

    #[test]
    fn a_refusal_does_not_quote_what_may_be_a_value() {
        for bad in [&["hunter2"][..], &["=hunter2"], &["a=hunter2", "a=hunter2"]] {
            let failure = text(bad).unwrap_err();
            assert!(failure.exit_code == 5 && !failure.line.contains("hunter2"), "{}", failure.line);
        }
    }
}
