//! The way of the rows: a page is read, written and noted, in one transaction of the destination.

use super::page::Side;
use super::row::{self, Value};
use super::{CopyError, CopyResult, Copying, Course, Progress, Resting, Step, Told, marker};
use crate::error::{StoreError, StoreResult};
use crate::sql::Param;

impl Copying {
    /// Copies what is not there yet.
    ///
    /// # Errors
    /// A database failed, or the destination can't hold a value. What was copied stays, and the next copy goes on behind it.
    pub fn transfer(&mut self, told: &mut Told<'_>) -> CopyResult<()> {
        let (mut done, total) = self.standing();
        let Self { source, destination, courses, .. } = self;
        for course in courses.iter_mut().filter(|course| !course.finished) {
            let last = course.statements.last_key(destination.as_mut(), &course.table);
            let mut after = last.map_err(CopyError::destination)?;
            loop {
                let page = course.statements.read(source.as_mut(), Side::Source, &course.table, after.as_deref());
                let page = page.map_err(CopyError::source)?;
                let rows = page.chunks(course.table.columns.len());
                let count = rows.len();
                if !destination.takes_nul() {
                    rows.clone().try_for_each(|row| without_nul(course, row))?;
                }
                write(destination.as_mut(), course, &page, count)?;
                let Some(row) = rows.last() else { break };
                after = Some(row.iter().take(course.table.key).cloned().collect());
                course.copied = course.copied.saturating_add(count as u64);
                done = done.saturating_add(count as u64);
                told(Progress { step: Step::Copying, table: &course.table.name, done, total });
            }
            course.finished = true;
        }
        Ok(())
    }
}

fn without_nul(course: &Course, row: &[Value]) -> CopyResult<()> {
    if row.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0'))) {
        let key = row::shown(row.get(..course.table.key).unwrap_or_default());
        return Err(CopyError::Nul { table: course.table.name.clone(), key });
    }
    Ok(())
}

/// No rows: the table is complete.
fn write(destination: &mut dyn Resting, course: &Course, page: &[Value], rows: usize) -> CopyResult<()> {
    let table = &course.table;
    let params: Vec<Param<'_>> = page.iter().map(Value::param).collect();
    let begin = destination.begin();
    let connection = destination.connection();
    let mut written = || -> StoreResult<()> {
        connection.batch(begin)?;
        connection.insert_rows(&course.statements.insert, table.columns.len(), &params)?;
        marker::advance(connection, &table.name, rows, rows == 0)?;
        connection.batch("COMMIT")
    };
    written().map_err(|error| {
        CopyError::destination(match error {
            StoreError::Constraint { constraint } => {
                StoreError::Constraint { constraint: format!("{constraint} (table {})", table.name) }
            }
            other => other,
        })
    })
}
