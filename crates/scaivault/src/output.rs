//! What commands say: results on standard output, everything else on standard error. Logging is another thing (`logging.rs`).

use std::io::{self, Write as _};

/// Writes a result, all of it and at once.
///
/// # Errors
/// Nobody reads: the pipe is closed, the disk is full.
pub(crate) fn result(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One line for a person. Where it can't be written there is nobody to tell.
pub(crate) fn notice(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
