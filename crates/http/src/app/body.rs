//! Reading request bodies within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use scaivault_service::{Code, Error, Result};
use zeroize::Zeroizing;

/// A body may pause this long; then it is taken for one that never ends.
const PAUSE: Duration = Duration::from_secs(15);
/// And may take this long in all.
const TOTAL: Duration = Duration::from_secs(120);

/// What a body without a length begins with: most need no more.
const LEAST_CAPACITY: usize = 8 * 1024;

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
    let announced = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    tokio::time::timeout(TOTAL, collect(body, announced, limit)).await.map_err(|_| stalled())?
}

async fn collect(mut body: Body, announced: usize, limit: usize) -> Result<Bytes> {
    let mut collected = Collected::new(announced.min(limit));
    loop {
        let frame = tokio::time::timeout(PAUSE, body.frame()).await.map_err(|_| stalled())?;
        match frame {
            None => return Ok(collected.into_bytes()),
            Some(Err(error)) => {
                return Err(if took_too_long(error) {
                    stalled()
                } else {
                    broken("The body broke off", "body_incomplete")
                });
            }
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if collected.0.len().saturating_add(data.len()) > limit {
                    return Err(too_large(limit));
                }
                collected.push(&data);
            }
        }
    }
}

/// What came of a body so far. A body may hold a secret: what is left behind on the way, as it grows or when it breaks off, is
/// wiped.
struct Collected(Zeroizing<Vec<u8>>);

impl Collected {
    fn new(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity.max(LEAST_CAPACITY))))
    }

    fn push(&mut self, data: &[u8]) {
        let needed = self.0.len().saturating_add(data.len());
        if needed > self.0.capacity() {
            // A vector that grows by itself leaves its old bytes to the allocator as they are.
            let mut larger = Self::new(needed.max(self.0.capacity().saturating_mul(2)));
            larger.0.extend_from_slice(&self.0);
            *self = larger;
        }
        self.0.extend_from_slice(data);
    }

    /// The same buffer: whoever reads the body wipes it then.
    fn into_bytes(mut self) -> Bytes {
        std::mem::take(&mut *self.0).into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_announced_length_never_moves() {
        let mut collected = Collected::new(100_000);
        let place = collected.0.as_ptr();
        for _ in 0..100 {
            collected.push(&[b'x'; 1000]);
        }
        let bytes = collected.into_bytes();
        assert_eq!((bytes.as_ptr(), bytes.len()), (place, 100_000));
        assert!(bytes.try_into_mut().is_ok(), "nobody else holds it: it can be wiped");
    }

    #[test]
    fn a_body_without_a_length_grows_in_steps() {
        let mut collected = Collected::new(0);
        let mut capacities = Vec::new();
        for i in 0..60_000_u32 {
            collected.push(&[i.to_le_bytes()[0]]);
            capacities.push(collected.0.capacity());
        }
        capacities.dedup();
        assert_eq!(capacities, [8192, 16384, 32768, 65536]);
        assert!((0..60_000_u32).zip(collected.into_bytes()).all(|(i, byte)| byte == i.to_le_bytes()[0]));
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_announced_or_not() {
        let read = async |body: &'static str, announced: Option<&'static str>| {
            let announced = announced.map(|length| (CONTENT_LENGTH, http::HeaderValue::from_static(length)));
            read(Body::from(body), &announced.into_iter().collect(), 4).await
        };
        assert_eq!(read("abcd", None).await.unwrap(), "abcd");
        assert_eq!(read("abcd", Some("4")).await.unwrap(), "abcd");
        for (body, announced) in [("abcde", None), ("", Some("5")), ("", Some("18446744073709551615"))] {
            assert_eq!(read(body, announced).await.unwrap_err().code(), Code::PayloadTooLarge);
        }
    }
}
