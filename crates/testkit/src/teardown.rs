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
    fn check_that_nothing_shows(&self) {
        for file in files_below(self.data_dir()) {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let shown = bytes.windows(self.canary().len()).any(|window| window == self.canary().as_bytes());
            assert!(!shown, "{} holds a value in the clear", file.display());
        }
        let shown = self.raw().tables_that_hold(self.canary());
        assert!(shown.is_empty(), "tables hold a value in the clear: {shown:?}");
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
