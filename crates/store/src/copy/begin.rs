//! The beginning of a copy: both databases are brought to rest, looked at, and found fit, or nothing is changed.

use super::marker::{self, Marker};
use super::page::Statements;
use super::plan::{self, quoted};
use super::row::{RowDigest, Value};
use super::{CopyError, CopyResult, Copying, Course, Place, Resting, Role};
use crate::engine::postgres::rest::PostgresAtRest;
use crate::engine::sqlite::rest::SqliteAtRest;
use crate::error::StoreResult;
use crate::migrate;

impl Place {
    pub(super) fn open(&self, role: Role) -> StoreResult<Box<dyn Resting>> {
        Ok(match self {
            Self::Sqlite(location) => Box::new(SqliteAtRest::open(&location.file, role)?),
            Self::Postgres(address) => Box::new(PostgresAtRest::open(address, role)?),
        })
    }
}

impl Copying {
    /// Begins a copy, or takes up the one that the destination holds. `restart` removes what an unfinished copy left there and
    /// begins anew; it never touches a database that is in use.
    ///
    /// # Errors
    /// [`CopyError::Refused`] when one of the databases is not what it must be, [`CopyError::Store`] when one can't be used or a
    /// server has it.
    pub fn begin(from: &Place, to: &Place, restart: bool) -> CopyResult<Self> {
        let mut source = from.open(Role::Source).map_err(CopyError::source)?;
        let (tables, wanted) = look_at_source(source.as_mut())?;
        let mut destination = to.open(Role::Destination).map_err(CopyError::destination)?;
        let resumed = make_ready(destination.as_mut(), &wanted, restart)?;
        let theirs = destination.tables().map_err(CopyError::destination)?;
        let plan = plan::plan(tables, theirs).map_err(CopyError::Refused)?;
        let mut courses = Vec::with_capacity(plan.len());
        for table in plan {
            let statements = Statements::new(&table, source.as_ref(), destination.as_ref());
            let total = count(source.as_mut(), &statements.count).map_err(CopyError::source)?;
            courses.push(Course { table, statements, total, copied: 0, finished: false });
        }
        let names: Vec<&str> = courses.iter().map(|course| course.table.name.as_str()).collect();
        if !resumed {
            mark(destination.as_mut(), &wanted, &names, restart)?;
        }
        for course in &mut courses {
            (course.copied, course.finished) =
                marker::part(destination.connection(), &course.table.name).map_err(CopyError::destination)?;
        }
        Ok(Self { source, destination, courses, resumed })
    }
}

/// Answers its tables, and the marker that its copies bear. From here on nobody changes it.
fn look_at_source(source: &mut dyn Resting) -> CopyResult<(Vec<plan::Table>, Marker)> {
    let known = migrate::known_version();
    match version(source).map_err(CopyError::source)? {
        0 => return CopyError::refused(format!("source: {} holds no ScaiVault instance", source.shown())),
        found if found < known => {
            return CopyError::refused(format!(
                "source: {} has schema version {found}, this program knows {known}; start the server of this program on it once, stop it, and copy then",
                source.shown()
            ));
        }
        found if found > known => {
            return CopyError::refused(format!(
                "source: {} has schema version {found}, this program knows {known}; use the newer program",
                source.shown()
            ));
        }
        _ => {}
    }
    if source.has_table(marker::COPY).map_err(CopyError::source)? {
        return Err(CopyError::source(marker::unfinished(source.connection())));
    }
    let tables = source.tables().map_err(CopyError::source)?;
    let ours = plan::of_the_instance(tables.clone());
    let names: Vec<&str> = ours.iter().map(|table| table.name.as_str()).collect();
    source.hold_still(&names).map_err(CopyError::source)?;
    let Some(instance) = instance(source).map_err(CopyError::source)? else {
        return CopyError::refused(format!("source: {} is not initialised: there is nothing to copy", source.shown()));
    };
    let trail = trail(source).map_err(CopyError::source)?;
    let wanted = Marker {
        source: source.shown(),
        instance: instance.to_vec(),
        trail: trail.to_vec(),
        schema_version: migrate::known_version(),
    };
    Ok((tables, wanted))
}

/// Brings an empty destination up to the schema, or sees to it that the copy in it is of this source. Answers whether there is one.
fn make_ready(destination: &mut dyn Resting, wanted: &Marker, restart: bool) -> CopyResult<bool> {
    let failed = CopyError::destination;
    let place = destination.shown();
    let known = migrate::known_version();
    let found = version(destination).map_err(failed)?;
    if found > known {
        return CopyError::refused(format!(
            "destination: {place} has schema version {found}, this program knows {known}; use the newer program"
        ));
    }
    if !destination.has_table(marker::COPY).map_err(failed)? {
        destination.migrate().map_err(failed)?;
        return Ok(false);
    }
    let standing = marker::find(destination.connection()).map_err(failed)?;
    let why = match standing {
        Some(marker) if marker.schema_version != known => "was begun by another version of this program".to_owned(),
        Some(marker) if marker.instance != wanted.instance => {
            format!("is of another instance, which was in {}", marker::printable(&marker.source))
        }
        Some(marker) if marker.trail != wanted.trail => {
            "was begun before the source was served again: what was copied is out of date".to_owned()
        }
        Some(_) if restart => {
            destination.migrate().map_err(failed)?;
            return Ok(false);
        }
        Some(_) => return Ok(true),
        None => "does not say of what".to_owned(),
    };
    if restart {
        destination.migrate().map_err(failed)?;
        return Ok(false);
    }
    CopyError::refused(format!(
        "destination: {place} holds an unfinished copy that {why}; --restart removes what was copied and begins anew"
    ))
}

/// Marks the destination as one that is being filled, in one transaction with the proof that it is empty (or the removal of what an
/// unfinished copy left).
fn mark(destination: &mut dyn Resting, wanted: &Marker, tables: &[&str], restart: bool) -> CopyResult<()> {
    let failed = CopyError::destination;
    let marked = destination.has_table(marker::COPY).map_err(failed)?;
    let begin = destination.begin();
    destination.connection().batch(begin).map_err(failed)?;
    if marked && restart {
        let clear = destination.clear(tables);
        destination.connection().batch(&clear).map_err(failed)?;
        destination.connection().batch(marker::DROP).map_err(failed)?;
    }
    if let Some(table) = first_filled(destination, tables).map_err(failed)? {
        let same = instance(destination).map_err(failed)?.is_some_and(|instance| instance[..] == wanted.instance);
        destination.connection().batch("ROLLBACK").map_err(failed)?;
        let place = destination.shown();
        return CopyError::refused(if same {
            format!(
                "destination: {place} holds this instance already, and no unfinished copy: it was copied before; nothing was changed"
            )
        } else {
            format!("destination: {place} is not empty (table {table}); copy to an empty database; nothing was changed")
        });
    }
    let connection = destination.connection();
    connection.batch(marker::CREATE).map_err(failed)?;
    marker::insert(connection, wanted).map_err(failed)?;
    connection.batch("COMMIT").map_err(failed)
}

fn first_filled<'t>(destination: &mut dyn Resting, tables: &[&'t str]) -> StoreResult<Option<&'t str>> {
    for table in tables {
        let mut filled = false;
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quoted(table));
        destination.connection().query(&sql, &[], &mut |_| {
            filled = true;
            Ok(false)
        })?;
        if filled {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// 0: none of ours yet.
fn version(database: &mut dyn Resting) -> StoreResult<i64> {
    if !database.has_table("schema_migration")? {
        return Ok(0);
    }
    let mut found = 0;
    database.connection().query("SELECT COALESCE(MAX(version), 0) FROM schema_migration", &[], &mut |row| {
        found = row.int(0)?;
        Ok(false)
    })?;
    Ok(found)
}

fn count(database: &mut dyn Resting, sql: &str) -> StoreResult<u64> {
    let mut found = 0;
    database.connection().query(sql, &[], &mut |row| {
        found = row.int(0)?.unsigned_abs();
        Ok(false)
    })?;
    Ok(found)
}

/// Digest of what never changes about an instance; `None` without one.
fn instance(database: &mut dyn Resting) -> StoreResult<Option<[u8; 32]>> {
    let mut found = None;
    let sql = "SELECT created_at, provider, kdf_salt FROM instance WHERE id = 1";
    database.connection().query(sql, &[], &mut |row| {
        let salt = row.opt_blob(2)?.map_or(Value::Null, Value::Blob);
        let mut digest = RowDigest::new("instance");
        digest.add(&[Value::Int(row.int(0)?), Value::Text(row.text(1)?), salt]);
        found = Some(digest.end());
        Ok(false)
    })?;
    Ok(found)
}

/// Digest of the ends of all chains.
fn trail(database: &mut dyn Resting) -> StoreResult<[u8; 32]> {
    let mut digest = RowDigest::new("audit_head");
    let sql = "SELECT stream, chain, seq, hash FROM audit_head ORDER BY stream, chain";
    database.connection().query(sql, &[], &mut |row| {
        let head =
            [Value::Text(row.text(0)?), Value::Text(row.text(1)?), Value::Int(row.int(2)?), Value::Blob(row.blob(3)?)];
        digest.add(&head);
        Ok(true)
    })?;
    Ok(digest.end())
}
