//! The proof: both sides are read again from the first row to the last.

use crossbeam_channel::Sender;

use super::page::Side;
use super::row::RowDigest;
use super::{CopyError, CopyResult, Copying, Course, Progress, Resting, Step, Told, marker};
use crate::error::{StoreError, StoreResult};
use crate::sql::Connection;
use crate::store::Snapshots;
use crate::tx::{ReadView, SnapshotSource};

/// A table as it stands on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSum {
    pub table: String,
    pub rows: u64,
    /// SHA-256 over the rows in the order of the primary key; the same on either engine.
    pub digest: [u8; 32],
}

/// A copy whose rows were found equal. The destination is still marked, and a transaction is open that sees what was verified; what
/// else is to be checked is checked in it, through [`Snapshots`].
pub struct Verification {
    copying: Copying,
    pub tables: Vec<TableSum>,
}

impl Copying {
    /// Reads all rows of both sides and compares them.
    ///
    /// # Errors
    /// [`CopyError::Differs`] with the first table that is not the same; a database failed.
    pub fn verify(mut self, told: &mut Told<'_>) -> CopyResult<Verification> {
        let names: Vec<&str> = self.courses.iter().map(|course| course.table.name.as_str()).collect();
        self.destination.hold_still(&names).map_err(CopyError::destination)?;
        let (_, total) = self.standing();
        let (ours, theirs) = self.digest_both(total.saturating_mul(2), told);
        let ours = ours.map_err(CopyError::source)?;
        let theirs = theirs.map_err(CopyError::destination)?;
        for (ours, theirs) in ours.iter().zip(&theirs) {
            if ours.rows != theirs.rows {
                let (source, copy) = (ours.rows, theirs.rows);
                let text = format!("the table {} has {source} rows in the source and {copy} in the copy", ours.table);
                return Err(CopyError::Differs(text));
            }
            if ours != theirs {
                return Err(CopyError::Differs(format!("rows of the table {} are not the same", ours.table)));
            }
        }
        Ok(Verification { copying: self, tables: ours })
    }

    /// Both at the same time: they are two servers, or two files.
    fn digest_both(
        &mut self,
        total: u64,
        told: &mut Told<'_>,
    ) -> (StoreResult<Vec<TableSum>>, StoreResult<Vec<TableSum>>) {
        let Self { source, destination, courses, .. } = self;
        let courses: &[Course] = courses;
        let (sender, pages) = crossbeam_channel::bounded::<(usize, u64)>(64);
        std::thread::scope(|scope| {
            let other = sender.clone();
            let ours = scope.spawn(move || digests(source.as_mut(), Side::Source, courses, &sender));
            let theirs = scope.spawn(move || digests(destination.as_mut(), Side::Destination, courses, &other));
            let mut done = 0_u64;
            for (course, rows) in pages {
                done = done.saturating_add(rows);
                let table = courses.get(course).map_or("", |course| course.table.name.as_str());
                told(Progress { step: Step::Verifying, table, done, total });
            }
            let lost = |_| Err(StoreError::Unavailable("a thread ended by a panic".to_owned()));
            (ours.join().unwrap_or_else(lost), theirs.join().unwrap_or_else(lost))
        })
    }
}

fn digests(
    database: &mut dyn Resting,
    side: Side,
    courses: &[Course],
    told: &Sender<(usize, u64)>,
) -> StoreResult<Vec<TableSum>> {
    let mut sums = Vec::with_capacity(courses.len());
    for (number, Course { table, statements, .. }) in courses.iter().enumerate() {
        // By name: which columns are the key is not the same on either engine, and the digest is to be.
        let mut order: Vec<usize> = (0..table.columns.len()).collect();
        order.sort_by_key(|position| table.columns.get(*position).map(|(name, _)| name));
        let mut digest = RowDigest::new(&table.name);
        let mut rows = 0_u64;
        let mut after = None;
        loop {
            let page = statements.read(database, side, table, after.as_deref())?;
            let page = page.chunks(table.columns.len());
            let count = page.len() as u64;
            let Some(last) = page.clone().last() else { break };
            page.for_each(|row| digest.add(order.iter().filter_map(|position| row.get(*position))));
            after = Some(last.iter().take(table.key).cloned().collect::<Vec<_>>());
            rows = rows.saturating_add(count);
            let _ = told.send((number, count));
        }
        sums.push(TableSum { table: table.name.clone(), rows, digest: digest.end() });
    }
    Ok(sums)
}

impl Verification {
    /// Takes the mark off the destination: it is complete, and servers may start on it.
    ///
    /// # Errors
    /// Somebody used one of the databases meanwhile, or the destination failed. It stays marked then.
    pub fn finish(self) -> CopyResult<()> {
        let Copying { mut source, mut destination, courses, .. } = self.copying;
        for (side, database) in [("source", &mut source), ("destination", &mut destination)] {
            let node = database.disturbed_by().map_err(|error| CopyError::Store { side, error })?;
            if let Some(node) = node {
                return CopyError::refused(format!(
                    "{side}: the node {node}, which was thought to be gone, came back; stop it, and run the copy again"
                ));
            }
        }
        let connection = destination.connection();
        connection.batch(marker::DROP).and_then(|()| connection.batch("COMMIT")).map_err(CopyError::destination)?;
        let names: Vec<&str> = courses.iter().map(|course| course.table.name.as_str()).collect();
        destination.settle(&names);
        Ok(())
    }
}

impl Snapshots for Verification {
    fn read<T>(&mut self, look: impl FnOnce(&mut ReadView<'_>) -> T) -> T {
        look(&mut ReadView::new(OpenTransaction(self.copying.destination.as_mut())))
    }
}

struct OpenTransaction<'d>(&'d mut dyn Resting);

impl SnapshotSource for OpenTransaction<'_> {
    fn snapshot(&mut self) -> StoreResult<&mut dyn Connection> {
        Ok(self.0.connection())
    }
}
