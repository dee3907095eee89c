//! What commands say: results on standard output, everything else on standard error. Logging is another thing (`logging.rs`).

use std::io::{self, IsTerminal as _, Write as _};

/// Writes a result, all of it and at once.
///
/// # Errors
/// Nobody reads: the pipe is closed, the disk is full.
pub(crate) fn result(text: &str) -> io::Result<()> {
    bytes(text.as_bytes())
}

/// The same for what is not ours to change: values, and answers of the server.
///
/// # Errors
/// As [`result`].
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// What ends a bare value: a line break for a person's terminal, nothing for the program behind a pipe.
pub(crate) fn line_end() -> &'static [u8] {
    if io::stdout().is_terminal() { b"\n" } else { b"" }
}

/// One line for a person. Where it can't be written there is nobody to tell.
pub(crate) fn notice(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A question; the cursor stays behind it.
pub(crate) fn prompt(text: impl std::fmt::Display) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{text} ");
    let _ = err.flush();
}
