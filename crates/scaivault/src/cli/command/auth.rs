//! `scaivault auth`

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use scaivault_crypto::bytes::SecretString;

use crate::cli::ask;
use crate::cli::client::{Body, Client, Id, Page, Request, delete, get, post};
use crate::cli::plan::{Plan, Planned};
use crate::cli::session::Session;
use crate::cli::settings::{File, Settings, Shared, TokenSource};
use crate::cli::show::json::Object;
use crate::failure::{Failure, NOT_FOUND};
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    Login(Login),
    Logout(Logout),
    /// Show who you are to the server
    #[command(after_help = "Example:\n  scaivault auth whoami")]
    Whoami,
    /// Personal access tokens
    #[command(subcommand)]
    Tokens(Tokens),
}

/// Check a token and keep it in ~/.scaivault/config.json, together with the server's URL
///
/// Without --token it asks for e-mail, password and, where there is one, the code of the second factor.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault auth login --url https://vault.example.com --token - < token.txt
  scaivault auth login")]
pub(crate) struct Login {
    /// `-` reads it from standard input. Given here itself, everybody on this machine can see it while the command runs
    #[arg(long)]
    token: Option<String>,
}

/// Forget the token that is kept
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault auth logout
  scaivault auth logout --revoke        also end the token at the server")]
pub(crate) struct Logout {
    /// End the token, wherever it is used
    #[arg(long)]
    revoke: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// List tokens, never the tokens themselves
    #[command(after_help = "Example:\n  scaivault auth tokens list --include-inactive")]
    List {
        /// Of this identity
        #[arg(long, value_name = "ID")]
        identity: Option<String>,
        /// Also expired and revoked ones
        #[arg(long)]
        include_inactive: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Create a token; it is shown this once
    #[command(after_help = "\
Examples:
  scaivault auth tokens create --name laptop --scope secrets:read --scope secrets:list --expires-in 30d
  scaivault auth tokens create --name ci --scope secrets:read --identity sa:ci --ip-range 10.0.0.0/8 --json | jq -r .token")]
    Create {
        #[arg(long)]
        name: String,
        /// Repeat it for several
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// For another identity of the tenant
        #[arg(long, value_name = "ID")]
        identity: Option<String>,
        /// As 30d (90d)
        #[arg(long, value_name = "DURATION")]
        expires_in: Option<String>,
        /// Where it may be used from; repeat it for several
        #[arg(long = "ip-range", value_name = "CIDR")]
        ip_ranges: Vec<String>,
    },
    /// End a token at once
    #[command(after_help = "Example:\n  scaivault auth tokens revoke tok_01J...")]
    Revoke {
        /// An id from the list, or `self`
        id: Id,
    },
}

pub(super) async fn run(command: Auth, shared: &Shared) -> Result<(), Failure> {
    match command {
        Auth::Login(login) => login.run(shared).await,
        Auth::Logout(logout) => logout.run(shared).await,
        Auth::Whoami => Session::start(shared)?.perform(whoami().details()).await,
        Auth::Tokens(tokens) => Session::start(shared)?.perform(tokens.plan()?).await,
    }
}

fn whoami() -> Request {
    get("/v1/auth/whoami")
}

impl Login {
    async fn run(self, shared: &Shared) -> Result<(), Failure> {
        let mut session = Session::start(shared)?;
        let token = match self.token.as_deref() {
            Some("-") => ask::secret_line(Path::new("-"))?,
            Some(token) => {
                output::notice(
                    "scaivault: warning: a token among the arguments can be seen by others; --token - is safer",
                );
                SecretString::new(token.to_owned())
            }
            None => sign_in(&session).await?,
        };
        let token = Arc::new(SecretString::new(token.expose().trim().to_owned()));
        session.client = session.client.with_token(TokenSource::Text(Arc::clone(&token)));
        let answer = session.client.send(&whoami()).await?;
        let who = answer.read::<Object<'_>>()?.string("identity_id").unwrap_or_default();
        let mut file = File::load()?;
        // Kept together: a token is for one server.
        file.set("base_url", session.settings.base_url.as_str().trim_end_matches('/'));
        file.set("token", token.expose());
        let path = file.save()?;
        if session.json {
            return session.print_json(&answer, false);
        }
        session.print(format!("signed in as {who}; the token is kept in {}\n", path.display()).as_bytes())
    }
}

/// E-mail, password and code for a token of a session.
async fn sign_in(session: &Session) -> Result<SecretString, Failure> {
    if !ask::is_somebody_there() {
        return Err(Failure::usage("e-mail and password can be asked for at a terminal only: use --token -"));
    }
    let email = ask::line("E-mail:")?;
    let password = ask::hidden("Password")?;
    let request = |code: Option<String>| {
        let body = Body::new()
            .with("email", email.as_str())
            .with("password", password.expose())
            .maybe("tenant_id", session.settings.tenant_id.clone())
            .maybe("otp", code);
        post("/v1/auth/login").anonymous().body(body)
    };
    let answer = match session.client.send(&request(None)).await {
        Err(failure) if failure.line.starts_with("mfa_required") => {
            session.client.send(&request(Some(ask::line("Code:")?))).await
        }
        answer => answer,
    };
    let answer = answer.map_err(|failure| match failure.exit_code {
        NOT_FOUND => Failure {
            exit_code: NOT_FOUND,
            line: "this server has no sign-in by e-mail and password: use scaivault auth login --token -".to_owned(),
        },
        _ => failure,
    })?;
    let token = answer.read::<Object<'_>>()?.string("access_token").map(SecretString::new);
    token.ok_or_else(|| Failure::general("the answer holds no token"))
}

impl Logout {
    async fn run(self, shared: &Shared) -> Result<(), Failure> {
        let mut file = File::load()?;
        let Some(token) = file.get("token")?.map(|token| SecretString::new(token.to_owned())) else {
            output::notice("no token is kept");
            return Ok(());
        };
        if self.revoke {
            let client = Client::new(&Settings::load(shared)?)?.with_token(TokenSource::Text(Arc::new(token)));
            client.send(&delete("/v1/auth/tokens/self")).await?;
        }
        file.set("token", "");
        file.save()?;
        output::notice(if self.revoke { "signed out; the token is revoked" } else { "signed out" });
        Ok(())
    }
}

impl Planned for Tokens {
    fn plan(self) -> Result<Plan, Failure> {
        const BASE: &str = "/v1/auth/tokens";
        Ok(match self {
            Self::List { identity, include_inactive, page } => get(BASE)
                .query("identity_id", identity)
                .flag("include_inactive", include_inactive)
                .page(&page)
                .table("tokens", &["id", "name", "identity=identity_id", "scopes", "expires_at", "last_used_at"]),
            Self::Create { name, scopes, identity, expires_in, ip_ranges } => {
                let body = Body::new()
                    .with("name", name)
                    .list("scopes", &scopes)
                    .maybe("identity_id", identity)
                    .maybe("expires_in", expires_in)
                    .list("ip_ranges", &ip_ranges);
                post(BASE).unkeyed().body(body).details()
            }
            Self::Revoke { id } => {
                delete(BASE).id(&id).said(format!("{id} is revoked")).confirm(format!("Revoke the token {id}?"))
            }
        })
    }
}
