//! One connection, driven by the thread that uses it: statements go out and answers come in without another thread in between.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use scaivault_crypto::digest;
use tokio::sync::Notify;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, SimpleQueryMessage, Statement};

use super::address::PostgresAddress;
use super::tls;
use super::value::{Bound, PostgresRow};
use super::wire::{Alarm, CONNECT_SILENCE, Driver, Heard, Reactor, begin, drive};
use crate::error::{StoreError, StoreResult};
use crate::sql::{Connection, Param, Row, placeholders};

/// A statement of ours never takes this long; what does is waiting for something that is broken.
const STATEMENT_SECONDS: u64 = 20;
/// How long a statement waits for a lock of another transaction.
pub(super) const LOCK_SECONDS: u64 = 8;
/// A node that stops in the middle of a transaction (a paused virtual machine) keeps the others waiting no longer than this.
const IDLE_SECONDS: u64 = 10;
/// On top of the server's own limit, for a server that does not answer any more.
pub(super) const SILENCE: Duration = Duration::from_secs(STATEMENT_SECONDS + 5);
/// Rows of one statement at most. 256 rows of 23 columns stay far below the protocol's 65,535 parameters.
const ROWS: usize = 256;
/// Prepared statements of a connection. Ours are few hundred; statements made of a client's filters could be many.
const STATEMENTS: usize = 512;

pub(super) struct Link {
    client: Arc<tokio_postgres::Client>,
    /// `None` once the connection ended.
    pub(super) driver: Option<Driver>,
    statements: HashMap<String, Statement>,
    /// Savepoints that begin or end with the next statement, on its way: by themselves they would double the way of each.
    held_back: Vec<Control>,
    heard: Heard,
    /// The end of the transaction came back with a warning.
    pub(super) warned: bool,
    /// A statement failed in this transaction, and nothing was rolled back since.
    pub(super) failed: bool,
    /// Another transaction was in the way.
    pub(super) conflict: bool,
    patience: Duration,
    alarm: Alarm,
    runtime: Reactor,
}

impl Link {
    /// Connects to the first of the hosts that takes writes.
    pub(super) fn connect(address: &PostgresAddress) -> StoreResult<Self> {
        Self::connect_under(address, Alarm::silent(), CONNECT_SILENCE)
    }

    /// As [`Link::connect`]; when `alarm` is raised, nothing is waited for much longer.
    pub(super) fn connect_under(address: &PostgresAddress, alarm: Alarm, patience: Duration) -> StoreResult<Self> {
        let runtime = Reactor::new()?;
        let (client, driver) = match tls::connector(address.ssl, &address.files)? {
            Some(connector) => begin(&runtime, &address.hosts(), &connector, patience)?,
            None => begin(&runtime, &address.hosts(), &NoTls, patience)?,
        };
        let mut link = Self {
            client,
            driver: Some(driver),
            statements: HashMap::new(),
            held_back: Vec::new(),
            heard: Heard::default(),
            warned: false,
            failed: false,
            conflict: false,
            patience: SILENCE,
            alarm,
            runtime,
        };
        link.set_up(address)?;
        Ok(link)
    }

    /// By statements, not by start-up options: PgBouncer refuses those that it does not know.
    fn set_up(&mut self, address: &PostgresAddress) -> StoreResult<()> {
        let schema = &address.schema;
        // Acknowledged means durable, on the standby too where there is a synchronous one. More than `on` is the operator's choice.
        let commit = self.simple(&format!(
            "SET search_path = \"{schema}\"; SET statement_timeout = '{STATEMENT_SECONDS}s'; SET lock_timeout = '{LOCK_SECONDS}s';
             SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'; SET standard_conforming_strings = on;
             SET client_min_messages = warning; SHOW synchronous_commit"
        ))?;
        if commit.as_deref().is_none_or(|mode| matches!(mode, "off" | "local" | "remote_write")) {
            self.simple("SET synchronous_commit = on")?;
        }
        Ok(())
    }

    pub(super) fn is_broken(&self) -> bool {
        self.driver.is_none() || self.client.is_closed()
    }

    /// Whether it was made before the database fell silent: another one is the better choice.
    pub(super) fn is_spent(&self) -> bool {
        self.is_broken() || self.alarm.is_raised()
    }

    /// How long an answer may take before the connection counts as broken.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Drives the connection until `future` is done.
    fn wait<T>(&mut self, future: impl Future<Output = Result<T, tokio_postgres::Error>>) -> StoreResult<T> {
        let Self { driver, heard, patience, alarm, runtime, .. } = self;
        let mut future = pin!(future);
        let driven = poll_fn(|cx| {
            drive(driver, heard, cx);
            future.as_mut().poll(cx)
        });
        let patience = *patience;
        let answered = runtime.block_on(async {
            tokio::select! {
                biased;
                answer = driven => Some(answer),
                () = tokio::time::sleep(patience) => None,
                () = alarm.over() => None,
            }
        });
        match answered {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(self.failure(&error)),
            None => {
                self.driver = None;
                Err(StoreError::Unavailable("the database does not answer".to_owned()))
            }
        }
    }

    /// Waits until somebody rings, here or there, or the time is over.
    pub(super) fn listen(&mut self, patience: Duration, bell: &Notify) {
        let Self { driver, heard, runtime, .. } = self;
        let told = poll_fn(|cx| {
            drive(driver, heard, cx);
            if heard.rung || driver.is_none() { Poll::Ready(()) } else { Poll::Pending }
        });
        runtime.block_on(async {
            tokio::select! {
                () = told => {}
                () = bell.notified() => {}
                () = tokio::time::sleep(patience) => {}
            }
            Some(())
        });
    }

    /// Runs statements without parameters; answers the first column of the last row.
    pub(super) fn simple(&mut self, sql: &str) -> StoreResult<Option<String>> {
        let client = Arc::clone(&self.client);
        let sql = match self.take_held_back() {
            Some(control) => format!("{control}; {sql}"),
            None => sql.to_owned(),
        };
        let messages = self.wait(async move { client.simple_query(&sql).await })?;
        let last = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        });
        Ok(last.flatten())
    }

    fn take_held_back(&mut self) -> Option<String> {
        let words: Vec<String> = self.held_back.drain(..).map(|control| control.sql()).collect();
        Some(words.join("; ")).filter(|control| !control.is_empty())
    }

    /// Forgets what was held back: the transaction that it belonged to is over.
    pub(super) fn begin_anew(&mut self) {
        self.held_back.clear();
        (self.failed, self.conflict) = (false, false);
    }

    /// Ends the transaction: `COMMIT` or `ROLLBACK`, which both end whatever savepoints there are.
    pub(super) fn end(&mut self, how: &str) -> StoreResult<()> {
        self.held_back.clear();
        self.heard.warned = false;
        let ended = self.simple(how).map(|_| ());
        self.warned = self.heard.warned;
        ended
    }

    /// Has `begin` travel with the statement that comes next.
    pub(super) fn begin_with_next(&mut self, begin: &'static str) {
        self.held_back = vec![Control::Begin(begin)];
        (self.failed, self.conflict) = (false, false);
    }

    /// Sends `how` and does not wait for its answer: whoever uses the connection next does.
    pub(super) fn end_unheard(&mut self, how: &'static str) {
        if matches!(self.held_back.first(), Some(Control::Begin(_))) {
            self.held_back.clear();
            return;
        }
        self.held_back.clear();
        let client = Arc::clone(&self.client);
        let Self { driver, heard, runtime, .. } = self;
        let mut ending = pin!(client.batch_execute(how));
        // Once to queue it, once more for it to leave.
        let sent = poll_fn(|cx| {
            let _ = ending.as_mut().poll(cx);
            drive(driver, heard, cx);
            Poll::Ready(Some(()))
        });
        let _ = runtime.block_on(sent);
    }

    /// Whether the connection still stands, as far as this machine knows.
    pub(super) fn stands(&mut self) -> bool {
        let Self { driver, heard, runtime, .. } = self;
        let look = poll_fn(|cx| {
            drive(driver, heard, cx);
            Poll::Ready(())
        });
        let _ = runtime.block_on(async {
            // The event loop looks at the network between two turns.
            tokio::task::yield_now().await;
            look.await;
            Some(())
        });
        !self.is_spent()
    }

    /// Whether somebody rang since the last time.
    pub(super) fn forget_ringing(&mut self) {
        self.heard.rung = false;
    }

    /// Sends what was held back and then `statement`, one right behind the other.
    fn send<T>(&mut self, statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> StoreResult<T> {
        let Some(control) = self.take_held_back() else { return self.wait(statement) };
        let client = Arc::clone(&self.client);
        self.wait(async move {
            let (controlled, done) = tokio::join!(biased; client.batch_execute(&control), statement);
            controlled?;
            done
        })
    }

    fn prepared(&mut self, sql: &str) -> StoreResult<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if let Some(control) = self.take_held_back() {
            self.simple(&control)?;
        }
        let client = Arc::clone(&self.client);
        let statement = self.wait(async move { client.prepare(sql).await })?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Connection for Link {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> StoreResult<u64> {
        let statement = self.prepared(sql)?;
        let (client, bound) = (Arc::clone(&self.client), bind(params));
        self.send(async move { client.execute(&statement, &borrowed(&bound)).await })
    }

    fn query(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> StoreResult<bool>,
    ) -> StoreResult<()> {
        // No text of this database holds a NUL: whatever is asked for by one is not there.
        if params.iter().any(|param| matches!(param, Param::Text(text) if text.contains('\0'))) {
            return Ok(());
        }
        let statement = self.prepared(sql)?;
        let (client, bound) = (Arc::clone(&self.client), bind(params));
        let rows = self.send(async move { client.query(&statement, &borrowed(&bound)).await })?;
        for row in &rows {
            if !each(&PostgresRow(row))? {
                break;
            }
        }
        Ok(())
    }

    fn batch(&mut self, sql: &str) -> StoreResult<()> {
        self.simple(sql)?;
        Ok(())
    }

    fn savepoint(&mut self, name: &str) -> StoreResult<()> {
        self.held_back.push(Control::Savepoint(name.to_owned()));
        Ok(())
    }

    fn release(&mut self, name: &str) -> StoreResult<()> {
        match self.held_back.last() {
            // Nothing was sent since: nothing is to be sent of either.
            Some(Control::Savepoint(held_back)) if held_back == name => drop(self.held_back.pop()),
            _ => self.held_back.push(Control::Release(name.to_owned())),
        }
        Ok(())
    }

    fn undo(&mut self, name: &str) -> StoreResult<()> {
        let begun = |control: &Control| matches!(control, Control::Savepoint(held_back) if held_back == name);
        if let Some(place) = self.held_back.iter().rposition(begun) {
            self.held_back.truncate(place);
            return Ok(());
        }
        self.held_back.clear();
        self.simple(&format!("ROLLBACK TO {name}; RELEASE {name}"))?;
        self.failed = false;
        Ok(())
    }

    /// Many rows a statement; in powers of two, so that there are few statements to prepare.
    fn insert_rows(&mut self, insert: &str, width: usize, values: &[Param<'_>]) -> StoreResult<()> {
        let mut rest = values;
        while !rest.is_empty() {
            let rows = (rest.len() / width).clamp(1, ROWS);
            let rows: usize = 1 << rows.ilog2();
            let (now, later) = rest.split_at(rows.saturating_mul(width).min(rest.len()));
            self.execute(&format!("{insert} VALUES {}", placeholders(rows, width)), now)?;
            rest = later;
        }
        Ok(())
    }
}

/// A beginning or end, of a transaction or of a savepoint.
enum Control {
    Begin(&'static str),
    Savepoint(String),
    Release(String),
}

impl Control {
    fn sql(&self) -> String {
        match self {
            Self::Begin(begin) => (*begin).to_owned(),
            Self::Savepoint(name) => format!("SAVEPOINT {name}"),
            Self::Release(name) => format!("RELEASE {name}"),
        }
    }
}

fn bind<'a>(params: &[Param<'a>]) -> Vec<Bound<'a>> {
    params.iter().map(|param| Bound(*param)).collect()
}

fn borrowed<'b>(bound: &'b [Bound<'_>]) -> Vec<&'b (dyn ToSql + Sync)> {
    bound.iter().map(|bound| bound as &(dyn ToSql + Sync)).collect()
}

/// A number for a name, for advisory locks: they are the whole database's, so the schema is part of it.
pub(super) fn lock_key(schema: &str, name: &str) -> i64 {
    let hash = digest::sha256(format!("scaivault\n{schema}\n{name}").as_bytes());
    hash.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}
