//! Rows between two databases, and the digest that tells whether two tables are the same.

use scaivault_crypto::digest::sha256;

use super::plan::{Kind, Planned};
use crate::error::StoreResult;
use crate::sql::{Param, Row};

/// A value on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Blob(Vec<u8>),
    Int(i64),
    Null,
    Text(String),
}

impl Value {
    pub(super) fn param(&self) -> Param<'_> {
        match self {
            Self::Blob(bytes) => Param::Blob(bytes),
            Self::Int(number) => Param::Int(*number),
            Self::Null => Param::Null,
            Self::Text(text) => Param::Text(text),
        }
    }

    /// No two values have the same encoding, and none is the beginning of another's.
    fn encode(&self, out: &mut Vec<u8>) {
        let sized = |out: &mut Vec<u8>, tag: u8, bytes: &[u8]| {
            out.push(tag);
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Self::Null => out.push(0),
            Self::Int(number) => {
                out.push(1);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Text(text) => sized(out, 2, text.as_bytes()),
            Self::Blob(bytes) => sized(out, 3, bytes),
        }
    }
}

/// Reads a row whose columns are those of `table`.
pub(super) fn read(table: &Planned, row: &dyn Row, into: &mut Vec<Value>) -> StoreResult<()> {
    for (position, (_, kind)) in table.columns.iter().enumerate() {
        into.push(match kind {
            Kind::Blob => row.opt_blob(position)?.map_or(Value::Null, Value::Blob),
            Kind::Int => row.opt_int(position)?.map_or(Value::Null, Value::Int),
            Kind::Text => row.opt_text(position)?.map_or(Value::Null, Value::Text),
        });
    }
    Ok(())
}

/// A key for people: ids, numbers and paths; bytes in hexadecimal digits.
pub(super) fn shown(key: &[Value]) -> String {
    let one = |value: &Value| match value {
        Value::Blob(bytes) => hex::encode(bytes),
        Value::Int(number) => number.to_string(),
        Value::Null => "-".to_owned(),
        Value::Text(text) => text.escape_debug().to_string(),
    };
    key.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Takes in rows one after the other: each hash is of the one before and the row.
#[derive(Debug, Clone)]
pub(super) struct RowDigest {
    state: [u8; 32],
    buffer: Vec<u8>,
}

impl RowDigest {
    /// `about`: what the rows are of, so that rows of one table are not taken for those of another.
    pub(super) fn new(about: &str) -> Self {
        Self { state: sha256(about.as_bytes()), buffer: Vec::new() }
    }

    pub(super) fn add<'v>(&mut self, row: impl IntoIterator<Item = &'v Value>) {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.state);
        row.into_iter().for_each(|value| value.encode(&mut self.buffer));
        self.state = sha256(&self.buffer);
    }

    pub(super) fn end(self) -> [u8; 32] {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_the_same_digest() {
        let text = |text: &str| Value::Text(text.to_owned());
        let rows: [&[Value]; 8] = [
            &[],
            &[Value::Null],
            &[Value::Null, Value::Null],
            &[text("")],
            &[text("ab"), text("c")],
            &[text("a"), text("bc")],
            &[Value::Blob(b"ab".to_vec()), text("c")],
            &[Value::Int(0)],
        ];
        let digests: std::collections::BTreeSet<_> = rows
            .iter()
            .map(|row| {
                let mut digest = RowDigest::new("t");
                digest.add(*row);
                digest.end()
            })
            .collect();
        assert_eq!(digests.len(), rows.len());
    }

    #[test]
    fn the_order_of_rows_counts() {
        let rows = [[Value::Int(1)], [Value::Int(2)]];
        let of = |order: [usize; 2]| {
            let mut digest = RowDigest::new("t");
            order.iter().for_each(|at| digest.add(&rows[*at]));
            digest.end()
        };
        assert_ne!(of([0, 1]), of([1, 0]));
    }

    #[test]
    fn a_key_is_shown_without_control_characters() {
        let key = [Value::Text("a\0b\n".to_owned()), Value::Int(7), Value::Blob(vec![0xab, 1])];
        assert_eq!(shown(&key), "a\\0b\\n, 7, ab01");
    }
}
