//! What a person is asked at a terminal, and what comes from standard input.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use scaivault_crypto::bytes::SecretString;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::output;

/// Somebody sits there who can answer.
pub(crate) fn is_somebody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks before something ends. A script has nobody to ask: it knows what it does.
///
/// # Errors
/// The answer was not yes.
pub(crate) fn confirm(question: &str) -> Result<(), Failure> {
    if !is_somebody_there() {
        return Ok(());
    }
    match line(&format!("{question} [y/N]"))?.as_str() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::general("nothing was done")),
    }
}

pub(crate) fn line(question: &str) -> Result<String, Failure> {
    output::prompt(question);
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(unreadable)?;
    Ok(line.trim().to_owned())
}

/// Nothing of it is shown while it is typed.
pub(crate) fn hidden(question: &str) -> Result<SecretString, Failure> {
    if !is_somebody_there() {
        return Err(Failure::usage(format!("{question} can be asked for at a terminal only")));
    }
    rpassword::prompt_password(format!("{question}: ")).map(SecretString::new).map_err(unreadable)
}

/// All of a file, or of standard input for `-`.
pub(crate) fn content(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if file == Path::new("-") {
        let mut bytes = Zeroizing::new(Vec::new());
        io::stdin().lock().read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok(bytes);
    }
    let bytes = std::fs::read(file).map(Zeroizing::new);
    bytes.map_err(|error| Failure::usage(format!("{} can't be read: {error}", file.display())))
}

/// A secret of one line: the break at its end is an editor's.
pub(crate) fn secret_line(file: &Path) -> Result<SecretString, Failure> {
    let bytes = content(file)?;
    let fault = |fault: &str| Failure::usage(format!("{} {fault}", name(file)));
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("is not UTF-8"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(fault("is empty")),
        line => Ok(SecretString::new(line.to_owned())),
    }
}

/// What a file is called in an error.
pub(crate) fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::general(format!("standard input can't be read: {error}"))
}
