//! One connection, on a thread of its own: tests stand on runtimes that can't wait for another.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, NoTls, Row, SimpleQueryMessage};

use super::Cell;

enum Order {
    /// Without parameters, any number of statements.
    Batch,
    Execute,
    Rows,
}

struct Found {
    touched: u64,
    rows: Vec<Vec<Cell>>,
}

struct Task {
    order: Order,
    sql: String,
    done: Sender<Result<Found, String>>,
}

pub(super) struct Postgres {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Postgres {
    pub(super) fn connect(url: &str, schema: &str) -> Self {
        let (tasks, waiting) = channel::<Task>();
        let (url, schema) = (url.to_owned(), schema.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let client = runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
                tokio::spawn(connection);
                let set_up = format!("SET search_path = {schema}; SET client_min_messages = warning");
                client.batch_execute(&set_up).await.unwrap();
                client
            });
            while let Ok(task) = waiting.recv() {
                let found = runtime.block_on(run(&client, &task.order, &for_postgres(&task.sql)));
                let _ = task.done.send(found.map_err(|error| describe(&error)));
            }
        });
        Self { tasks: Some(tasks), thread: Some(thread) }
    }

    fn order(&self, order: Order, sql: &str) -> Result<Found, String> {
        let (done, answer) = channel();
        let task = Task { order, sql: sql.to_owned(), done };
        let lost = |_| "the connection behind the server's back is lost".to_owned();
        self.tasks.as_ref().unwrap().send(task).map_err(|_| lost(()))?;
        answer.recv().map_err(|_| lost(()))?
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), String> {
        self.order(Order::Batch, sql).map(|_| ())
    }

    pub(super) fn execute(&self, sql: &str) -> Result<u64, String> {
        self.order(Order::Execute, sql).map(|found| found.touched)
    }

    pub(super) fn rows(&self, sql: &str) -> Result<Vec<Vec<Cell>>, String> {
        self.order(Order::Rows, sql).map(|found| found.rows)
    }

    /// A row as text holds its bytes in hex, so both are looked for.
    pub(super) fn tables_that_hold(&self, needle: &[u8]) -> Vec<String> {
        let tables =
            "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
        let texts = |sql: &str| -> Vec<String> {
            let rows = self.rows(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            rows.iter().map(|row| row[0].text().unwrap()).collect()
        };
        let hex: String = needle.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_ .:/".contains(byte);
        let text = std::str::from_utf8(needle).ok().filter(|text| text.as_bytes().iter().all(plain)).unwrap_or(&hex);
        let in_table = |table: &String| {
            format!(
                "SELECT '{table}'::text FROM {table} t
                 WHERE position('{text}' IN t::text) > 0 OR position('{hex}' IN t::text) > 0"
            )
        };
        texts(&texts(tables).iter().map(in_table).collect::<Vec<_>>().join(" UNION "))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn run(client: &Client, order: &Order, sql: &str) -> Result<Found, Error> {
    match order {
        Order::Batch => client.batch_execute(sql).await.map(|()| Found { touched: 0, rows: Vec::new() }),
        Order::Execute => {
            let messages = client.simple_query(sql).await?;
            let touched = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::CommandComplete(touched) => Some(*touched),
                _ => None,
            });
            Ok(Found { touched: touched.sum(), rows: Vec::new() })
        }
        Order::Rows => {
            let rows = client.query(sql, &[]).await?;
            let cells = |row: &Row| (0..row.len()).map(|column| cell(row, column)).collect();
            Ok(Found { touched: 0, rows: rows.iter().map(cells).collect() })
        }
    }
}

fn cell(row: &Row, column: usize) -> Cell {
    let found = match *row.columns()[column].type_() {
        Type::INT8 => row.get::<_, Option<i64>>(column).map(Cell::Int),
        Type::INT4 => row.get::<_, Option<i32>>(column).map(|number| Cell::Int(number.into())),
        Type::BOOL => row.get::<_, Option<bool>>(column).map(|flag| Cell::Int(flag.into())),
        Type::BYTEA => row.get::<_, Option<Vec<u8>>>(column).map(Cell::Blob),
        Type::TEXT | Type::VARCHAR => row.get::<_, Option<String>>(column).map(Cell::Text),
        ref other => panic!("a column is of the type {other}; cast it"),
    };
    found.unwrap_or(Cell::Null)
}

/// `x'00ff'` and `zeroblob(2)` are how tests write bytes.
fn for_postgres(sql: &str) -> String {
    let mut parts = sql.split("zeroblob(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (count, after) = part.split_once(')').expect("a number of bytes");
        text.push_str(&super::blob(&vec![0; count.parse().expect("a number of bytes")]));
        text.push_str(after);
    }
    let mut done = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, from)) = rest.split_once("x'") {
        done.push_str(before);
        let in_a_word = before.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_');
        match from.split_once('\'') {
            Some((digits, after)) if !in_a_word && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                done.push_str(&format!("'\\x{digits}'::bytea"));
                rest = after;
            }
            _ => {
                done.push_str("x'");
                rest = from;
            }
        }
    }
    done + rest
}

fn describe(error: &Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| format!("{} ({})", db.message(), db.code().code()))
}
