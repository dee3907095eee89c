//! Reading request bodies within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use scaivault_service::{Code, Error, Result};

/// A body may pause this long; then it is taken for one that never ends.
const PAUSE: Duration = Duration::from_secs(15);
/// And may take this long in all.
const TOTAL: Duration = Duration::from_secs(120);

/// Twice the largest secret, as escapes may double it, and 64 KiB for the rest (contract 00 section 1).
pub(crate) fn limit(max_secret_bytes: usize) -> usize {
    max_secret_bytes.saturating_mul(2).saturating_add(64 * 1024)
}

/// # Errors
/// 413 beyond `limit` (from the announced length alone, where there is one), 400 for a body that stalls or breaks off.
pub(crate) async fn read(body: Body, headers: &HeaderMap, limit: usize) -> Result<Bytes> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    tokio::time::timeout(TOTAL, collect(body, limit)).await.map_err(|_| stalled())?
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes> {
    let mut collected = Vec::new();
    loop {
        let frame = tokio::time::timeout(PAUSE, body.frame()).await.map_err(|_| stalled())?;
        match frame {
            None => return Ok(collected.into()),
            Some(Err(error)) => {
                return Err(if took_too_long(error) { stalled() } else { broken("The body broke off", "body_incomplete") });
            }
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if collected.len().saturating_add(data.len()) > limit {
                    return Err(too_large(limit));
                }
                collected.extend_from_slice(&data);
            }
        }
    }
}

/// Says the connection, which has a limit of its own.
fn took_too_long(error: axum::Error) -> bool {
    let error = error.into_inner();
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

fn too_large(limit: usize) -> Error {
    Error::new(Code::PayloadTooLarge, format!("The body may have at most {limit} bytes")).with("limit_bytes", limit)
}

fn stalled() -> Error {
    broken("The body did not arrive in time", "body_timeout")
}

fn broken(message: &str, reason: &str) -> Error {
    Error::new(Code::InvalidRequest, message).with("reason", reason)
}
