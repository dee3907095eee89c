//! What the process asks of the operating system before it holds a key.

/// Files the process needs besides connections: database, log, TLS files, outgoing calls.
const RESERVED_FILES: u64 = 256;
/// More connections than that on one node want another design, not a larger number.
const MAX_CONNECTIONS: u64 = 100_000;
const MIN_CONNECTIONS: u64 = 64;

/// Keeps keys out of core dumps and new files out of other users' reach. What the system refuses is logged and goes without.
#[cfg(unix)]
pub(crate) fn harden() {
    use rustix::process::{Resource, Rlimit, setrlimit, umask};
    // The database's side files, the audit mirror and whatever comes: 0600 and 0700 unless a file exists already.
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps could not be switched off; one would hold keys");
    }
    // Also keeps other processes of this user from reading our memory through /proc or ptrace.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process could not be protected from being traced");
    }
}

#[cfg(not(unix))]
pub(crate) fn harden() {}

/// Raises the number of open files as far as it goes, and says how many connections fit below it.
#[cfg(unix)]
pub(crate) fn connection_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            limit.current
        }
    };
    let connections = connections_below(files);
    tracing::debug!(files, connections, "limits");
    connections
}

#[cfg(not(unix))]
pub(crate) fn connection_limit() -> usize {
    connections_below(None)
}

/// `None` = as many files as one likes.
fn connections_below(files: Option<u64>) -> usize {
    let connections = files.unwrap_or(u64::MAX).saturating_sub(RESERVED_FILES);
    usize::try_from(connections.clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_below_the_limit_of_files() {
        assert_eq!(connections_below(Some(1_024)), 768);
        assert_eq!(connections_below(Some(20_000)), 19_744);
        assert_eq!(connections_below(Some(100)), 64);
        assert_eq!(connections_below(None), 100_000);
    }
}
