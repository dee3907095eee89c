//! Where the client's server is and who asks: file, then environment, then flags; the later wins (contract 13 section 1).

mod file;
mod token;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use reqwest::Url;
use scaivault_crypto::bytes::SecretString;

pub(crate) use file::{File, NAMES};
pub(crate) use token::TokenSource;

use super::environment::variable;
use crate::failure::Failure;
use crate::output;

/// Where `scaivault server` listens when nobody says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8443";

// What every command of the client takes. No doc comment: it would stand in the help of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server and output")]
pub(crate) struct Shared {
    /// Base URL of the server [env: SCAIVAULT_URL] [default: http://127.0.0.1:8443]
    #[arg(long, global = true)]
    pub(crate) url: Option<String>,
    /// Act in this tenant instead of the token's own [env: SCAIVAULT_TENANT_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) tenant: Option<String>,
    /// Partner that identity commands are about [env: SCAIVAULT_PARTNER_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) partner: Option<String>,
    /// Print the server's answer as it is
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Don't ask before something is deleted or ended
    #[arg(long, short = 'y', global = true)]
    pub(crate) yes: bool,
    /// Tell requests and how long they took, on standard error; never values or tokens [env: SCAIVAULT_DEBUG=1]
    #[arg(long, global = true)]
    pub(crate) debug: bool,
}

// The same flags before the command. They can't be the same arguments: `server`, `init` and `check` would take them too.
#[derive(Debug, Args)]
pub(crate) struct Early {
    #[arg(long, hide = true)]
    url: Option<String>,
    #[arg(long, hide = true)]
    tenant: Option<String>,
    #[arg(long, hide = true)]
    partner: Option<String>,
    #[arg(long, hide = true)]
    json: bool,
    #[arg(long, short = 'y', hide = true)]
    yes: bool,
    #[arg(long, hide = true)]
    debug: bool,
}

impl Early {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { url, tenant, partner, json, yes, debug } = self;
        url.is_none() && tenant.is_none() && partner.is_none() && !json && !yes && !debug
    }
}

impl Shared {
    /// Those behind the command win.
    pub(crate) fn after(self, early: Early) -> Self {
        Self {
            url: self.url.or(early.url),
            tenant: self.tenant.or(early.tenant),
            partner: self.partner.or(early.partner),
            json: self.json || early.json,
            yes: self.yes || early.yes,
            debug: self.debug || early.debug,
        }
    }
}

/// Who gave a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File,
    Environment,
    Flag,
}

impl Origin {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

pub(crate) struct Settings {
    pub(crate) base_url: Url,
    pub(crate) token: TokenSource,
    pub(crate) tenant_id: Option<String>,
    pub(crate) debug: bool,
    /// What `config list` shows: name, value, origin. The token's value is not among them.
    pub(crate) given: Vec<(&'static str, String, Origin)>,
}

impl Settings {
    /// Reads file, environment and flags.
    pub(crate) fn load(shared: &Shared) -> Result<Self, Failure> {
        Self::over(shared, &File::load()?, &variable)
    }

    fn over(shared: &Shared, file: &File, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let mut given = Vec::new();
        let mut pick = |name, flag: &Option<String>, key: &str, default: Option<&str>| -> Result<_, Failure> {
            let found = match (flag, text(variable, key)?, file.get(name)?) {
                (Some(flag), ..) => Some((flag.clone(), Origin::Flag)),
                (_, Some(value), _) => Some((value, Origin::Environment)),
                (_, _, Some(value)) => Some((value.to_owned(), Origin::File)),
                _ => default.map(|value| (value.to_owned(), Origin::Default)),
            };
            given.extend(found.clone().map(|(value, origin)| (name, value, origin)));
            Ok(found.map(|(value, _)| value))
        };
        let url = pick("base_url", &shared.url, "SCAIVAULT_URL", Some(DEFAULT_URL))?.unwrap_or_default();
        let tenant_id = pick("tenant_id", &shared.tenant, "SCAIVAULT_TENANT_ID", None)?;
        pick("partner_id", &shared.partner, "SCAIVAULT_PARTNER_ID", None)?;
        let base_url = base_url(&url)?;
        let (mut token, mut origin) = token_source(file, variable)?;
        // A variable that somebody else set (.envrc, a pipeline) must not lead the kept token to another server.
        if origin == Some(Origin::File) && !is_kept_for(file, &base_url)? {
            (token, origin) = (TokenSource::None, None);
        }
        if let Some(origin) = origin {
            given.push(("token", "(set)".to_owned(), origin));
        }
        let debug =
            shared.debug || text(variable, "SCAIVAULT_DEBUG")?.is_some_and(|value| value != "0" && value != "false");
        Ok(Self { base_url, token, tenant_id, debug, given })
    }
}

/// Whether the token of the file is for this server: the one that the file names, or the usual one.
fn is_kept_for(file: &File, url: &Url) -> Result<bool, Failure> {
    Ok(base_url(file.get("base_url")?.unwrap_or(DEFAULT_URL))?.origin() == url.origin())
}

fn token_source(
    file: &File,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(TokenSource, Option<Origin>), Failure> {
    let held = |token: String| TokenSource::Text(Arc::new(SecretString::new(token)));
    let token = text(variable, "SCAIVAULT_TOKEN")?;
    match (token, variable("SCAIVAULT_TOKEN_FILE")) {
        (Some(_), Some(_)) => Err(Failure::usage("SCAIVAULT_TOKEN and SCAIVAULT_TOKEN_FILE must not both be set")),
        (Some(token), None) => Ok((held(token.trim().to_owned()), Some(Origin::Environment))),
        (None, Some(path)) => Ok((TokenSource::File(PathBuf::from(path)), Some(Origin::Environment))),
        (None, None) => match file.get("token")? {
            Some(token) => Ok((held(token.to_owned()), Some(Origin::File))),
            None => Ok((TokenSource::None, None)),
        },
    }
}

fn text(variable: &dyn Fn(&str) -> Option<OsString>, name: &str) -> Result<Option<String>, Failure> {
    let text = variable(name).map(OsString::into_string).transpose();
    text.map_err(|_| Failure::usage(format!("{name} is not UTF-8")))
}

/// Checks a base URL. One may have a path: the server may stand behind one.
pub(crate) fn base_url(text: &str) -> Result<Url, Failure> {
    // Not quoted: it may hold a password, which is one of the faults.
    let fault = |fault: &str| Failure::usage(format!("the base URL {fault}; it looks like https://vault.example.com"));
    let url = Url::parse(text).map_err(|_| fault("is not a URL"))?;
    match url.scheme() {
        "http" | "https" => {}
        _ => return Err(fault("must begin with http:// or https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("must not hold a user or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("must end with its path"));
    }
    Ok(url)
}

/// What a user should know and may go on without knowing.
fn warn(text: impl std::fmt::Display) {
    output::notice(format_args!("scaivault: warning: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(url: Option<&str>) -> Shared {
        let url = url.map(str::to_owned);
        Shared { url, tenant: None, partner: None, json: false, yes: false, debug: false }
    }

    fn variables<'a>(given: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| given.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
    }

    fn settings(flag: Option<&str>, file: &str, environment: &[(&str, &str)]) -> Result<Settings, Failure> {
        Settings::over(&shared(flag), &File::parse(file.as_bytes()).unwrap(), &variables(environment))
    }

    #[test]
    fn the_later_wins() {
        let file = r#"{"base_url":"http://file","tenant_id":"tnt_file","token":"skt_file"}"#;
        let url = |flag, file, environment: &[_]| settings(flag, file, environment).unwrap().base_url.to_string();
        assert_eq!(url(None, "{}", &[]), "http://127.0.0.1:8443/");
        assert_eq!(url(None, file, &[]), "http://file/");
        assert_eq!(url(None, file, &[("SCAIVAULT_URL", "http://env")]), "http://env/");
        assert_eq!(url(Some("https://flag/x"), file, &[("SCAIVAULT_URL", "http://env")]), "https://flag/x");
        let token = |environment: &[_]| settings(None, file, environment).unwrap().token.read().unwrap().unwrap();
        assert_eq!(token(&[]).expose(), "skt_file");
        assert_eq!(token(&[("SCAIVAULT_TOKEN", "skt_env")]).expose(), "skt_env");
        assert_eq!(settings(None, file, &[]).unwrap().tenant_id.as_deref(), Some("tnt_file"));
        let both = settings(None, file, &[("SCAIVAULT_TOKEN", "a"), ("SCAIVAULT_TOKEN_FILE", "b")]);
        assert_eq!(both.err().unwrap().exit_code, 5);
    }

    #[test]
    fn the_kept_token_goes_to_its_own_server_only() {
        let file = r#"{"base_url":"https://vault.example/x","token":"skt_file"}"#;
        let token = |flag, environment: &[_]| settings(flag, file, environment).unwrap().token.read().unwrap();
        assert!(token(Some("https://vault.example/y"), &[]).is_some());
        for other in ["http://vault.example", "https://vault.example:444", "https://evil.example"] {
            assert!(token(Some(other), &[]).is_none(), "{other}");
            assert!(token(None, &[("SCAIVAULT_URL", other)]).is_none(), "{other}");
            assert!(token(Some(other), &[("SCAIVAULT_TOKEN", "skt_env")]).is_some(), "{other}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_and_not_quoted() {
        for bad in ["vault", "ftp://vault", "https://u:hunter2@vault", "https://vault?token=hunter2", "https://"] {
            let line = base_url(bad).unwrap_err().line;
            assert!(line.starts_with("the base URL ") && !line.contains("hunter2"), "{line}");
        }
    }
}
