//! The data directory: made with mode 0700, and looked at when somebody else made it.

use std::path::Path;

use crate::failure::Failure;

/// Makes the directory if there is none. `Some(text)`: it is there, but someone should know something.
///
/// # Errors
/// It can't be made, or is no directory.
pub(crate) fn prepare(dir: &Path) -> Result<Option<String>, Failure> {
    let fault = |fault: &dyn std::fmt::Display| Failure::general(format!("data directory {}: {fault}", dir.display()));
    match std::fs::metadata(dir) {
        Ok(meta) if !meta.is_dir() => Err(fault(&"is not a directory; set DATA_DIR to another place")),
        Ok(meta) => Ok(wide_mode(dir, &meta)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make(dir).map_err(|error| fault(&format_args!("can't be made: {error}")))?;
            Ok(None)
        }
        Err(error) => Err(fault(&error)),
    }
}

#[cfg(unix)]
fn make(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)
}

/// What is wrong with the mode of a directory that other users can enter.
#[cfg(unix)]
pub(crate) fn wide_mode(dir: &Path, meta: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = meta.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        format!("data directory {0} is open to other users (mode {mode:o}); run: chmod 700 {0}", dir.display())
    })
}

#[cfg(not(unix))]
pub(crate) fn wide_mode(_dir: &Path, _meta: &std::fs::Metadata) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_directory_is_private_and_a_wide_one_is_told_of() {
        let root = std::env::temp_dir().join(format!("scaivault-data-dir-{}", std::process::id()));
        let dir = root.join("a/b");
        assert_eq!(prepare(&dir), Ok(None));
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(prepare(&dir), Ok(None));
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        let warning = prepare(&dir).unwrap().unwrap();
        assert!(warning.contains("mode 755") && warning.contains("chmod 700"), "{warning}");
        std::fs::write(root.join("file"), b"").unwrap();
        assert!(prepare(&root.join("file")).unwrap_err().line.contains("is not a directory"));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
