//! The child process: starts it, hands signals on, and ends as it ended.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use tokio::process::{Child, Command};

use super::variables::Variables;
use crate::failure::Failure;

/// What lets this program in. The command has no need of it.
const CREDENTIALS: [&str; 6] = [
    "SCAIVAULT_TOKEN",
    "SCAIVAULT_TOKEN_FILE",
    "SCAIVAULT_CLIENT_ID",
    "SCAIVAULT_CLIENT_SECRET",
    "SCAIKEY_CLIENT_ID",
    "SCAIKEY_CLIENT_SECRET",
];

/// As shells do.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

pub(super) async fn run(command: &[OsString], variables: &Variables, keep_token: bool) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = command.split_first() else { return Err(Failure::usage("there is no command")) };
    // Before the start: a signal in between would end this process and leave the child alone.
    let signals = Signals::install().map_err(|error| Failure::general(format!("no signal handlers: {error}")))?;
    let mut child = Command::new(program);
    child.args(arguments);
    if !keep_token {
        CREDENTIALS.iter().for_each(|name| {
            child.env_remove(name);
        });
    }
    child.envs(variables.iter().map(|(name, value)| (name, value.expose())));
    let child = child.spawn().map_err(|error| {
        let exit_code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
        Failure { exit_code, line: format!("{} can't be started: {error}", program.display()) }
    })?;
    let code =
        signals.until_end(child).await.map_err(|error| Failure::general(format!("the command is lost: {error}")))?;
    Ok(ExitCode::from(code))
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn until_end(mut self, mut child: Child) -> io::Result<u8> {
        use rustix::process::{Pid, Signal, kill_process};
        use std::os::unix::process::ExitStatusExt as _;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        loop {
            let signal = tokio::select! {
                status = child.wait() => {
                    let status = status?;
                    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
                    return Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX));
                }
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.terminate.recv() => Signal::TERM,
                _ = self.hangup.recv() => Signal::HUP,
            };
            if signal == Signal::INT && came_from_the_keyboard() {
                continue;
            }
            if let Some(pid) = pid {
                // It may have ended this moment.
                let _ = kill_process(pid, signal);
            }
        }
    }
}

/// A terminal sends Ctrl-C to all processes in front, the child among them. Twice would mean "at once" to many programs.
#[cfg(unix)]
fn came_from_the_keyboard() -> bool {
    use rustix::process::getpgrp;
    use rustix::termios::tcgetpgrp;
    tcgetpgrp(io::stdin()).or_else(|_| tcgetpgrp(io::stderr())).is_ok_and(|in_front| in_front == getpgrp())
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self)
    }

    /// The console tells all its processes by itself; this one only has to outlive the child.
    async fn until_end(self, mut child: Child) -> io::Result<u8> {
        loop {
            tokio::select! {
                status = child.wait() => {
                    return Ok(status?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX));
                }
                _ = tokio::signal::ctrl_c() => {}
            }
        }
    }
}
