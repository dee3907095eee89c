//! Canonical JSON (RFC 8785) for audit entries.
//!
//! Only the part of JSON that entries use: no floats, no integers beyond 2^53 - 1. RFC 8785 prints
//! numbers as ECMAScript does, which for such integers is plain decimal; for the rest it would take
//! a float printer, so the rest is an error.

use std::io::Write as _;

use scaivault_crypto::digest;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

use super::AuditError;

/// Largest integer every JSON reader holds exactly: 2^53 - 1 (RFC 7493, 2.2).
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// The canonical form of any JSON value made of strings, safe integers, booleans, nulls, arrays and
/// objects.
///
/// # Errors
/// [`AuditError::Number`] for other numbers.
pub fn canonical_json(value: &Value) -> Result<Vec<u8>, AuditError> {
    let mut out = Vec::new();
    write_value(&mut out, value)?;
    Ok(out)
}

/// The hash of an entry as it stands in an export or a log file: everything but `hash`, null fields
/// left out.
///
/// # Errors
/// [`AuditError::Serialise`] if `entry` is no object, else as [`canonical_json`].
pub fn hash_of_exported(entry: &Value) -> Result<[u8; digest::SHA256_LEN], AuditError> {
    let fields = entry.as_object().ok_or(AuditError::Serialise)?;
    let hashed: Map<String, Value> = fields
        .iter()
        .filter(|(key, value)| *key != "hash" && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Ok(digest::sha256(&canonical_json(&Value::Object(hashed))?))
}

/// Whether RFC 8785 prints this number as serde_json does.
pub(super) fn check_number(number: &Number) -> Result<(), AuditError> {
    match number.as_i64() {
        Some(n) => check_integer(n),
        None => Err(AuditError::Number),
    }
}

pub(super) fn check_integer(n: i64) -> Result<(), AuditError> {
    if (-MAX_INTEGER..=MAX_INTEGER).contains(&n) { Ok(()) } else { Err(AuditError::Number) }
}

fn write_value(out: &mut Vec<u8>, value: &Value) -> Result<(), AuditError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(number) => {
            check_number(number)?;
            write!(out, "{number}").map_err(|_| AuditError::Serialise)?;
        }
        Value::String(text) => write_string(out, text)?,
        Value::Array(items) => {
            write_list(out, b'[', b']', items, write_value)?;
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            // RFC 8785, 3.2.3, sorts by UTF-16 code units. The order of serde_json's map is not
            // relied on: a feature of any crate in the build can change it.
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            write_list(out, b'{', b'}', fields, |out, (key, value)| {
                write_string(out, key)?;
                out.push(b':');
                write_value(out, value)
            })?;
        }
    }
    Ok(())
}

fn write_list<T>(
    out: &mut Vec<u8>,
    open: u8,
    close: u8,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    out.push(open);
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item)?;
    }
    out.push(close);
    Ok(())
}

/// serde_json escapes strings exactly as RFC 8785, 3.2.2.2, asks (`tests` proves it for every
/// character there is), so it does the writing.
fn write_string(out: &mut Vec<u8>, text: &str) -> Result<(), AuditError> {
    serde_json::to_writer(out, text).map_err(|_| AuditError::Serialise)
}
