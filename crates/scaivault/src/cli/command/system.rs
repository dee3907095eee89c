//! `scaivault unseal` and `scaivault seal`

use std::path::PathBuf;

use clap::Args;

use crate::cli::ask;
use crate::cli::client::{Body, get, post};
use crate::cli::plan::Plan;
use crate::cli::session::Session;
use crate::cli::show::json::Object;
use crate::failure::Failure;

/// Give a sealed server its passphrase, or a share of its key
///
/// Without a file it asks for what the server needs. Needs no token.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault unseal
  scaivault unseal --passphrase-file /run/passphrase
  scaivault unseal --reset                        forget the shares given so far")]
pub(crate) struct Unseal {
    /// `-` reads standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    share_file: Option<PathBuf>,
    #[arg(long, conflicts_with_all = ["passphrase_file", "share_file"])]
    reset: bool,
}

impl Unseal {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let body = match (&self.passphrase_file, &self.share_file) {
            _ if self.reset => Body::new().with("reset", true),
            (Some(file), _) => Body::new().with("passphrase", ask::secret_line(file)?.expose()),
            (_, Some(file)) => Body::new().with("share", ask::secret_line(file)?.expose()),
            (None, None) => {
                let status = session.client.send(&get("/v1/sys/seal-status").anonymous()).await?;
                let status: Object<'_> = status.read()?;
                if !status.is_true("sealed") {
                    return session.print(b"the server is not sealed\n");
                }
                match status.string("provider").as_deref() {
                    Some("passphrase") => Body::new().with("passphrase", ask::hidden("Passphrase")?.expose()),
                    Some("shamir") => Body::new().with("share", ask::hidden("Share")?.expose()),
                    _ => {
                        return Err(Failure::general(
                            "this server unseals itself when it starts: look at its log, and restart it",
                        ));
                    }
                }
            }
        };
        session.perform(post("/v1/sys/unseal").anonymous().body(body).details()).await
    }
}

/// Take the keys from a running server: until somebody unseals it, it answers nothing
#[derive(Debug, Args)]
#[command(after_help = "\
A server that gets its key from a file or a variable unseals itself at its next start; with a passphrase or shares it
needs `scaivault unseal`.

Example:
  scaivault seal")]
pub(crate) struct Seal {}

impl Seal {
    pub(super) fn plan(self) -> Plan {
        post("/v1/sys/seal").details().confirm("Seal the server? Nobody can read or write until it is unsealed.")
    }
}
