//! The first token of a new instance: shown once, on standard output or in a new private file, and never logged.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use scaivault_service::FirstStart;
use serde_json::json;

use crate::config::Listen;
use crate::failure::Failure;

/// Where the token goes. Settled before the instance is made: a token that could not be handed over would leave an instance
/// that nobody can enter.
pub(crate) enum Place {
    Output,
    File(Reserved),
}

impl Place {
    /// Makes the file if one was named.
    ///
    /// # Errors
    /// The file exists, or can't be made.
    pub(crate) fn settle(file: Option<&PathBuf>) -> Result<Self, Failure> {
        file.map_or(Ok(Self::Output), |path| Reserved::new(path.clone()).map(Self::File))
    }

    /// Nothing was initialised.
    pub(crate) fn abandon(self) {
        if let Self::File(reserved) = self {
            reserved.abandon();
        }
    }
}

/// A new, empty file of mode 0600 that waits for the token.
pub(crate) struct Reserved {
    path: PathBuf,
    file: File,
}

impl Reserved {
    fn new(path: PathBuf) -> Result<Self, Failure> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Failure::general(format!(
                "SCAIVAULT_INIT_TOKEN_FILE: {} exists already, and the first token must go to a new file; nothing was initialised",
                path.display()
            ))),
            Err(error) => Err(Failure::general(format!(
                "SCAIVAULT_INIT_TOKEN_FILE: {} can't be made: {error}; nothing was initialised",
                path.display()
            ))),
        }
    }

    fn fill(mut self, token: &str) -> io::Result<()> {
        self.file.write_all(token.as_bytes())?;
        self.file.write_all(b"\n")?;
        self.file.sync_all()
    }

    fn abandon(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "an empty token file is left");
        }
    }
}

/// The text that `scaivault init --json` prints: an object and nothing else.
pub(crate) fn as_json(first: &FirstStart, place: Place) -> Result<String, Failure> {
    let (key, value) = match place {
        Place::Output => ("token", first.token.expose().to_owned()),
        Place::File(reserved) => ("token_file", write(reserved, first)?),
    };
    let object = json!({
        "partner_id": first.partner_id,
        "tenant_id": first.tenant_id,
        "identity_id": first.identity_id,
        key: value,
    });
    Ok(format!("{object:#}\n"))
}

/// The same for people, with three commands to paste: a secret written, read, listed. The token stands in it once.
pub(crate) fn as_text(first: &FirstStart, place: Place, url: &str) -> Result<String, Failure> {
    let (export, hint) = match place {
        Place::Output => (first.token.expose().to_owned(), "The token is shown only this once: keep it."),
        Place::File(reserved) => {
            (format!("\"$(cat '{}')\"", write(reserved, first)?), "The token stands in that file.")
        }
    };
    Ok(format!(
        r#"ScaiVault has been initialised: partner {partner}, tenant {tenant}, identity {identity}.
{hint} To write, read and list a secret, paste:

export SCAIVAULT_TOKEN={export}
curl -sS -w "\n" -X PUT {url}/v1/secrets/app/db -H "Authorization: Bearer $SCAIVAULT_TOKEN" -H "Content-Type: application/json" -d '{{"data":{{"password":"correct horse"}}}}'
curl -sS -w "\n" {url}/v1/secrets/app/db -H "Authorization: Bearer $SCAIVAULT_TOKEN"
curl -sS -w "\n" "{url}/v1/secrets?prefix=app/" -H "Authorization: Bearer $SCAIVAULT_TOKEN"

"#,
        partner = first.partner_id,
        tenant = first.tenant_id,
        identity = first.identity_id,
    ))
}

fn write(reserved: Reserved, first: &FirstStart) -> Result<String, Failure> {
    let path = reserved.path.display().to_string();
    match reserved.fill(first.token.expose()) {
        Ok(()) => Ok(path),
        Err(error) => Err(Failure::general(format!(
            "the first token could not be written to {path}: {error}; nobody can sign in: remove the data directory and start again"
        ))),
    }
}

/// Where this machine reaches a listener: one that listens everywhere is reached on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, address.port())
}

/// The URL to try a new server with: its public one where it has been set, else the listener's own.
pub(crate) fn url(listen: &Listen) -> String {
    match listen.given_base_url() {
        Some(url) => url.to_owned(),
        None => format!("{}://{}", listen.scheme(), reachable(listen.address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_everywhere_is_reached_on_loopback() {
        for (listens, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("192.0.2.1:3", "192.0.2.1:3"),
            ("127.0.0.1:4", "127.0.0.1:4"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), reached);
        }
    }

    #[test]
    fn a_token_file_is_new_and_private_or_refused() {
        let path = std::env::temp_dir().join(format!("scaivault-first-token-{}", std::process::id()));
        let Ok(Place::File(reserved)) = Place::settle(Some(&path)) else { panic!("not made") };
        let refused = Place::settle(Some(&path)).err().unwrap();
        assert!(refused.line.contains("exists already") && refused.line.contains("nothing was initialised"));
        reserved.fill("skt_x").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "skt_x\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::remove_file(&path).unwrap();
        Place::settle(Some(&path)).unwrap().abandon();
        assert!(!path.exists());
    }
}
