//! Where the token comes from.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scaivault_crypto::bytes::SecretString;
use zeroize::Zeroizing;

use crate::failure::Failure;

const LONGEST: u64 = 64 * 1024;

#[derive(Clone)]
pub(crate) enum TokenSource {
    None,
    Text(Arc<SecretString>),
    /// Read for each request: whoever projects it there also renews it.
    File(PathBuf),
}

impl TokenSource {
    pub(crate) fn read(&self) -> Result<Option<Arc<SecretString>>, Failure> {
        match self {
            Self::None => Ok(None),
            Self::Text(token) => Ok(Some(Arc::clone(token))),
            Self::File(path) => read(path).map(|token| Some(Arc::new(token))),
        }
    }
}

fn read(path: &Path) -> Result<SecretString, Failure> {
    let fault = |fault: &str| Failure::usage(format!("SCAIVAULT_TOKEN_FILE: {} {fault}", path.display()));
    let file = File::open(path).map_err(|error| fault(&format!("can't be read: {error}")))?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|_| fault("can't be read as text"))?;
    match text.trim() {
        "" => Err(fault("is empty")),
        _ if text.len() as u64 > LONGEST => Err(fault("is too long for a token")),
        token => Ok(SecretString::new(token.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_anew() {
        let path = std::env::temp_dir().join(format!("scaivault-token-{}", std::process::id()));
        let source = TokenSource::File(path.clone());
        assert_eq!(source.read().unwrap_err().exit_code, 5);
        for token in ["skt_a", "skt_b"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            assert_eq!(source.read().unwrap().unwrap().expose(), token);
        }
        std::fs::write(&path, " \n").unwrap();
        assert!(source.read().unwrap_err().line.ends_with("is empty"));
        std::fs::remove_file(&path).unwrap();
    }
}
