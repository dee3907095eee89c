//! `AUDIT_LOG_FILE`: every entry once more as a JSON line, after its commit. A copy for log shippers: its failure is logged and
//! never blocks.

use std::io::Write;

use crossbeam_channel::Sender;
use scaivault_domain::audit::AuditEntry;

use crate::settings::Settings;

/// Lines that may wait for the file; beyond it lines are dropped and counted in the log.
const QUEUE: usize = 65_536;

#[derive(Default)]
pub(crate) struct Mirror {
    lines: Option<Sender<Vec<u8>>>,
}

impl Mirror {
    pub(crate) fn open(settings: &Settings) -> Self {
        let Some(path) = settings.audit_log_file.clone() else { return Self::default() };
        let (sender, receiver) = crossbeam_channel::bounded::<Vec<u8>>(QUEUE);
        let writer = move || {
            for line in receiver.iter() {
                let written = std::fs::OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| {
                    file.write_all(&line)?;
                    // One open file for all that waits; reopened per burst, so that log rotation needs no signal.
                    receiver.try_iter().try_for_each(|line| file.write_all(&line))
                });
                if let Err(error) = written {
                    tracing::error!(%error, "AUDIT_LOG_FILE can't be written; the audit trail in the database is whole");
                }
            }
        };
        match std::thread::Builder::new().name("audit-mirror".to_owned()).spawn(writer) {
            Ok(_) => Self { lines: Some(sender) },
            Err(error) => {
                tracing::error!(%error, "AUDIT_LOG_FILE is not written: no thread");
                Self::default()
            }
        }
    }

    pub(crate) fn push(&self, entry: &AuditEntry) {
        let Some(lines) = &self.lines else { return };
        let Ok(mut line) = entry.canonical_json() else { return };
        line.push(b'\n');
        if lines.try_send(line).is_err() {
            tracing::error!("AUDIT_LOG_FILE is too slow: a line was dropped; the audit trail in the database is whole");
        }
    }
}
