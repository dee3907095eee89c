//! `scaivault batch`

use clap::{Args, Subcommand};
use scaivault_domain::path::SecretPath;
use zeroize::Zeroizing;

use super::secrets::read::values;
use super::shared::path;
use crate::cli::client::{Answer, Body, Request, post};
use crate::cli::plan::Plan;
use crate::cli::session::Session;
use crate::cli::show::json::{Object, object};
use crate::cli::show::text::printable;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Batch {
    Read(Read),
    Metadata(Metadata),
}

/// Read the values of up to 100 paths
///
/// Each path succeeds or fails on its own. If one failed, the command exits with 1 after it showed the others.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault batch read app/db app/api
  scaivault batch read app/db app/api --fail-fast --json")]
pub(crate) struct Read {
    #[arg(value_parser = path, required = true)]
    paths: Vec<SecretPath>,
    /// The first path that fails fails all; no value is shown then
    #[arg(long)]
    fail_fast: bool,
    /// All paths at this version
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// With everything else that is known of them; shown with --json
    #[arg(long)]
    include_metadata: bool,
}

/// Show the metadata of up to 100 paths, or of all that globs match
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault batch metadata app/db app/api
  scaivault batch metadata 'app/**' --expand")]
pub(crate) struct Metadata {
    #[arg(required = true)]
    paths: Vec<String>,
    /// Paths with * or ? are globs
    #[arg(long)]
    expand: bool,
}

impl Batch {
    pub(super) async fn run(self, session: Session) -> Result<(), Failure> {
        let Plan { request, mut show, .. } = match self {
            Self::Read(read) => read.plan(),
            Self::Metadata(metadata) => metadata.plan(),
        };
        let answer = session.client.send(&request).await?;
        session.show(&answer, &mut show)?;
        refused(&answer)
    }
}

impl Read {
    fn plan(self) -> Plan {
        let options = Body::new()
            .maybe("fail_fast", self.fail_fast.then_some(true))
            .maybe("version", self.version)
            .maybe("include_metadata", self.include_metadata.then_some(true));
        read_request(&self.paths, &options).custom(text)
    }
}

impl Metadata {
    fn plan(self) -> Plan {
        let options = Body::new().maybe("expand_wildcards", self.expand.then_some(true));
        let body = Body::new().list("paths", &self.paths).object("options", &options);
        let columns =
            &["path=@", "type=secret_type", "current_version", "updated_at", "expires_at", "tags=metadata.tags"];
        post("/v1/secrets/batch/metadata").unkeyed().body(body).table("secrets", columns)
    }
}

pub(super) fn read_request(paths: &[SecretPath], options: &Body) -> Request {
    let paths: Vec<String> = paths.iter().map(|path| path.as_str().to_owned()).collect();
    let body = Body::new().list("paths", &paths).object("options", options);
    post("/v1/secrets/batch").unkeyed().body(body)
}

fn text(answer: &Answer) -> Result<Zeroizing<String>, Failure> {
    let answer: Object<'_> = answer.read()?;
    let mut text = Zeroizing::new(String::new());
    let Some(secrets) = answer.get("secrets").and_then(object) else { return Ok(text) };
    for (path, secret) in secrets.iter() {
        let Some(secret) = object(secret) else { continue };
        if !text.is_empty() {
            text.push('\n');
        }
        let version = secret.get("version").map(|version| version.get()).unwrap_or_default();
        text.push_str(&format!("{} (version {version})\n", printable(path)));
        if let Some(data) = secret.get("data").and_then(object) {
            values(&data).lines().for_each(|line| {
                text.push_str("  ");
                text.push_str(line);
                text.push('\n');
            });
        }
    }
    Ok(text)
}

/// Names what failed.
fn refused(answer: &Answer) -> Result<(), Failure> {
    let answer: Object<'_> = answer.read()?;
    let errors = answer.get("errors").and_then(object);
    let mut count = 0;
    for (path, error) in errors.iter().flat_map(Object::iter) {
        let error = object(error);
        let text = |name: &str| error.as_ref().and_then(|error| error.string(name)).unwrap_or_default();
        output::notice(printable(&format!("{path}: {}: {}", text("code"), text("message"))));
        count += 1;
    }
    if answer.is_true("truncated") {
        output::notice("there is more: the answer holds as much as one answer may");
    }
    match count {
        0 => Ok(()),
        1 => Err(Failure::general("1 path failed, see above")),
        _ => Err(Failure::general(format!("{count} paths failed, see above"))),
    }
}
