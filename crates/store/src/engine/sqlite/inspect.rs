//! Looking at a SQLite database without taking part in it.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;

use super::SqliteLocation;
use super::connection::{SqliteReader, engine_error};
use super::rest::refuse_unfinished;
use crate::engine::inspect::{Inspected, Inspection, Looked};
use crate::error::{StoreError, StoreResult};
use crate::migrate;
use crate::sql::{Connection, Database as _};
use crate::store::Snapshots as _;
use crate::tx::{ReadView, SnapshotSource};

/// Opens the database for reading, if there is one.
///
/// # Errors
/// It can't be read, is no database, or holds a copy that is not complete.
pub fn inspect_sqlite(location: &SqliteLocation) -> StoreResult<Inspected> {
    let file = &location.file;
    let unreadable = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", file.display()));
    if !file.try_exists().map_err(unreadable)? {
        return Ok(Inspected::Absent);
    }
    // SQLite's own message for a file that can't be read does not say why.
    File::open(file).map_err(unreadable)?;
    let in_use = is_locked(&beside(file, ".lock"));
    let (log, index) = (beside(file, "-wal"), beside(file, "-shm"));
    let uri = match (has_log(file), in_use) {
        // The file is all there is. Without `immutable` SQLite would make a log and an index beside it.
        (false, false) => format!("file:{}?mode=ro&immutable=1", escaped(file)?),
        (true, false) => return Ok(Inspected::Unrecovered),
        // The server has both side files open, so that nothing has to be made.
        (_, true) if index.exists() && log.exists() => format!("file:{}?mode=ro", escaped(file)?),
        (_, true) => return Err(StoreError::Unavailable("a server is starting or stopping; try again".to_owned())),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(uri, flags).map_err(engine_error)?;
    connection.execute_batch("PRAGMA query_only=ON; PRAGMA busy_timeout=2000").map_err(engine_error)?;
    let mut inspection =
        Inspection(Box::new(SqliteInspection { reader: SqliteReader(connection), file: file.clone(), in_use }));
    inspection.read(|view| refuse_unfinished(view.connection()?))?;
    let (found, known) = (inspection.read(schema_version)?, migrate::known_version());
    let database = (found == known).then_some(inspection);
    Ok(Inspected::Present { in_use, found, known, database })
}

struct SqliteInspection {
    reader: SqliteReader,
    file: PathBuf,
    /// A server had it open when the look began.
    in_use: bool,
}

impl Looked for SqliteInspection {
    fn view(&mut self) -> ReadView<'_> {
        ReadView::new(OneSnapshot { reader: &mut self.reader, begun: false })
    }

    fn was_disturbed(&self) -> bool {
        !self.in_use && (is_locked(&beside(&self.file, ".lock")) || has_log(&self.file))
    }
}

struct OneSnapshot<'r> {
    reader: &'r mut SqliteReader,
    begun: bool,
}

impl SnapshotSource for OneSnapshot<'_> {
    fn snapshot(&mut self) -> StoreResult<&mut dyn Connection> {
        if !self.begun {
            self.reader.0.execute_batch("BEGIN DEFERRED").map_err(engine_error)?;
            self.begun = true;
        }
        Ok(self.reader)
    }
}

impl Drop for OneSnapshot<'_> {
    fn drop(&mut self) {
        if self.begun && !self.reader.0.is_autocommit() {
            let _ = self.reader.0.execute_batch("COMMIT");
        }
    }
}

/// 0 = none of ours yet.
fn schema_version(view: &mut ReadView<'_>) -> StoreResult<i64> {
    if view.number("SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_migration'", &[])? == 0 {
        return Ok(0);
    }
    view.number("SELECT COALESCE(MAX(version), 0) FROM schema_migration", &[])
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Commits that are not in the database file yet.
fn has_log(file: &Path) -> bool {
    std::fs::metadata(beside(file, "-wal")).is_ok_and(|meta| meta.len() > 0)
}

/// A shared lock is tried and given back at once: it stands in nobody's way but that of a server that starts this very moment.
fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

/// A path in an SQLite URI.
fn escaped(path: &Path) -> StoreResult<String> {
    let text = path.to_str().ok_or_else(|| StoreError::Unavailable("the database's path is not UTF-8".to_owned()))?;
    let mut uri = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' | '?' | '#' => uri.push_str(&format!("%{:02X}", u32::from(c))),
            _ => uri.push(c),
        }
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{self, InstanceRecord};
    use crate::{SqliteOptions, Store};
    use scaivault_domain::time::Timestamp;

    fn location(name: &str) -> (PathBuf, SqliteLocation) {
        let dir = std::env::temp_dir().join(format!("scaivault-inspect-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("odd?name%23.db");
        (dir, SqliteLocation { file })
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// (whether a server has it open, whether it holds an instance)
    fn look(location: &SqliteLocation) -> (bool, bool) {
        match inspect_sqlite(location).unwrap() {
            Inspected::Present { in_use, database: Some(mut database), .. } => {
                (in_use, database.read(instance::exists).unwrap())
            }
            _ => panic!("it is there, and of this program's version"),
        }
    }

    #[test]
    fn an_absent_database_stays_absent() {
        let (dir, location) = location("absent");
        assert!(matches!(inspect_sqlite(&location), Ok(Inspected::Absent)));
        assert!(names(&dir).is_empty());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_database_is_seen_open_and_closed_and_nothing_is_made() {
        let (dir, location) = location("present");
        let store = Store::open_sqlite(&SqliteOptions { location: location.clone() }).unwrap();
        let record = InstanceRecord { created_at: Timestamp::UNIX_EPOCH, provider: "file".to_owned(), kdf_salt: None };
        store.write_blocking(crate::Lane::Whole, move |tx| instance::insert(tx, &record)).unwrap();
        let before = names(&dir);
        assert_eq!(look(&location), (true, true));
        assert_eq!(names(&dir), before);

        store.close();
        drop(store);
        let before = names(&dir);
        assert_eq!(look(&location), (false, true));
        assert_eq!(names(&dir), before);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_server_that_starts_in_the_middle_shows() {
        let (dir, location) = location("disturbed");
        let open = || Store::open_sqlite(&SqliteOptions { location: location.clone() }).unwrap();
        open().close();
        let Inspected::Present { database: Some(inspection), .. } = inspect_sqlite(&location).unwrap() else {
            panic!()
        };
        assert!(!inspection.was_disturbed());
        let store = open();
        assert!(inspection.was_disturbed());
        store.close();
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_of_another_kind_is_damaged() {
        let (dir, location) = location("other");
        std::fs::write(&location.file, b"no database, but long enough to look like a header, is it not").unwrap();
        assert!(matches!(inspect_sqlite(&location), Err(StoreError::Corrupt(_))));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
