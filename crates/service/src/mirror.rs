//! `AUDIT_LOG_FILE`: every entry once more as a JSON line, after its commit. A copy for log shippers: its failure is logged and
//! never blocks.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Mutex, RwLock};
use scaivault_domain::audit::AuditEntry;

use crate::settings::Settings;

/// Lines that may wait for the file; beyond it lines are dropped and counted in the log.
const QUEUE: usize = 65_536;

#[derive(Default)]
pub(crate) struct Mirror {
    /// Without a file nobody takes the lock: it is on the way of every request.
    is_on: bool,
    lines: RwLock<Option<Sender<Vec<u8>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    dropped: AtomicU64,
}

impl Mirror {
    pub(crate) fn open(settings: &Settings) -> Self {
        let Some(path) = settings.audit_log_file.clone() else { return Self::default() };
        let (sender, receiver) = crossbeam_channel::bounded(QUEUE);
        let writer =
            std::thread::Builder::new().name("audit-mirror".to_owned()).spawn(move || write_lines(&path, &receiver));
        match writer {
            Ok(writer) => Self {
                is_on: true,
                lines: RwLock::new(Some(sender)),
                writer: Mutex::new(Some(writer)),
                dropped: AtomicU64::new(0),
            },
            Err(error) => {
                tracing::error!(%error, "AUDIT_LOG_FILE is not written: no thread");
                Self::default()
            }
        }
    }

    pub(crate) fn push(&self, entry: &AuditEntry) {
        if !self.is_on {
            return;
        }
        let (Some(line), lines) = (line_of(entry), self.lines.read()) else { return };
        let Some(lines) = lines.as_ref() else { return };
        if lines.try_send(line).is_err() {
            // One line of log for a burst: the log may lie on the same slow disk.
            if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!(
                    "AUDIT_LOG_FILE is too slow: lines are dropped; the audit trail in the database is whole"
                );
            }
        } else if self.dropped.load(Ordering::Relaxed) > 0 {
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            tracing::error!(dropped, "AUDIT_LOG_FILE is written again; the dropped lines are in the database only");
        }
    }

    /// Writes what waits and ends. Blocks.
    pub(crate) fn close(&self) {
        self.lines.write().take();
        if let Some(writer) = self.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of AUDIT_LOG_FILE ended by a panic");
        }
    }
}

/// The entry as `GET /v1/audit/logs` gives it, null fields left out: with its hash, so that the file verifies on its own.
fn line_of(entry: &AuditEntry) -> Option<Vec<u8>> {
    let mut line = entry.canonical_json().ok()?;
    let hash = hex::encode(entry.hash().ok()?);
    line.pop();
    line.extend_from_slice(format!(",\"hash\":\"{hash}\"}}\n").as_bytes());
    Some(line)
}

fn write_lines(path: &Path, lines: &Receiver<Vec<u8>>) {
    let mut failing = false;
    for line in lines {
        let written = std::fs::OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| {
            file.write_all(&line)?;
            // One open file for all that waits; reopened per burst, so that log rotation needs no signal.
            lines.try_iter().try_for_each(|line| file.write_all(&line))
        });
        if let Err(error) = &written
            && !failing
        {
            tracing::error!(%error, "AUDIT_LOG_FILE can't be written; the audit trail in the database is whole");
        }
        failing = written.is_err();
    }
}

#[cfg(test)]
mod tests {
    use crate::seal::FileProvider;
    use crate::testing::TestVault;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_entry_is_a_line_that_verifies() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.jsonl");
        let test = TestVault::with(
            |settings| settings.audit_log_file = Some(file.clone()),
            |place| Box::new(FileProvider::new(place.join("root.key"))),
        );
        test.write_entries(300).await;
        // Waits for the file as well.
        test.vault.shut_down().await;
        let lines: Vec<serde_json::Value> =
            std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 300);
        for (line, seq) in lines.iter().zip(1..) {
            assert_eq!(line["seq"], seq);
            let hash = scaivault_domain::audit::hash_of_exported(line).unwrap();
            assert_eq!(line["hash"], hex::encode(hash));
        }
        assert_eq!(lines[1]["prev_hash"], lines[0]["hash"]);
    }
}
