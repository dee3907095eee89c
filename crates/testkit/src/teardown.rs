//! What must hold when a test ends, whatever it did: case Y-4 (no canary value in the clear in any file of the data directory or any
//! table of the database), U-8 for the database, and a whole audit trail.

use std::path::Path;

use crate::app::TestApp;
use crate::database::off_thread;

impl Drop for TestApp {
    fn drop(&mut self) {
        let check = !std::thread::panicking() && self.check_at_end;
        off_thread(|| {
            if check {
                self.check_that_nothing_shows();
                self.check_trail();
            }
            self.vault.store().close();
        });
    }
}

impl TestApp {
    /// The files of the data directory and the tables of the database in which these bytes can be read.
    pub fn places_that_hold(&self, needle: &[u8]) -> Vec<String> {
        let files = files_below(self.data_dir()).into_iter().filter(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes.windows(needle.len()).any(|window| window == needle)
        });
        let files = files.map(|file| file.display().to_string());
        files.chain(self.raw().tables_that_hold(needle)).collect()
    }

    fn check_that_nothing_shows(&self) {
        let shown = self.places_that_hold(self.canary().as_bytes());
        assert!(shown.is_empty(), "{shown:?} hold a value in the clear");
    }

    fn check_trail(&self) {
        if self.vault.is_sealed() {
            return;
        }
        let chains =
            self.vault.store().read(|view| scaivault_store::audit::chains(view)).expect("chains can be listed");
        let streams: std::collections::BTreeSet<String> = chains.into_iter().map(|chain| chain.stream).collect();
        for stream in &streams {
            let report = self.vault.verify_audit(stream, None, None).expect("the trail can be walked");
            assert!(report.is_valid(), "the trail of {stream} is broken: {report:?}");
        }
    }
}

fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}
