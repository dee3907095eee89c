//! A full answer in place of the parser's bare one.
//!
//! A head that can't be parsed never becomes a request: hyper answers it itself, with a status and nothing else. The contract
//! promises an error body and a request id on every response, so the bare answer is exchanged on its way out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// A bare answer is shorter than this, any other is longer: it has a request id and mostly a body.
const LONGEST_BARE: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Malformed,
    TooLarge,
}

/// Whether these bytes are a whole answer of the parser's own. Ours always carry a request id.
pub(super) fn bare(bytes: &[u8]) -> Option<Kind> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    if bytes.len() > LONGEST_BARE {
        return None;
    }
    let kind = match rest.get(1..6)? {
        b" 400 " => Kind::Malformed,
        // 414 is no status of the contract: the request line is part of the header block.
        b" 414 " | b" 431 " => Kind::TooLarge,
        _ => return None,
    };
    let text = std::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
    let whole = text.ends_with("\r\n\r\n") && text.contains("\r\ncontent-length: 0\r\n");
    (whole && !text.contains("\r\nx-request-id:")).then_some(kind)
}

pub(super) struct Refusal {
    bytes: Vec<u8>,
    sent: usize,
    /// So many bytes of the parser's are taken as written in the end.
    stands_for: usize,
}

impl Refusal {
    pub(super) fn new(kind: Kind, stands_for: usize, request_id: &str) -> Self {
        let (status, code, message) = match kind {
            Kind::Malformed => ("400 Bad Request", "invalid_request", "The request is not valid HTTP"),
            Kind::TooLarge => {
                ("431 Request Header Fields Too Large", "headers_too_large", "The header block is too large")
            }
        };
        let body =
            serde_json::json!({"error": {"code": code, "message": message, "request_id": request_id}}).to_string();
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n{body}"
        );
        Self { bytes: text.into_bytes(), sent: 0, stands_for }
    }

    /// Ready when all of it is out.
    pub(super) fn poll_write<S: AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let written = ready!(stream.as_mut().poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        Poll::Ready(Ok(self.stands_for))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parsers_own_answers_are_recognised() {
        let bare_431 = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: Fri, 01 May 2026 10:00:00 GMT\r\n\r\n";
        assert_eq!(bare(bare_431), Some(Kind::TooLarge));
        assert_eq!(bare(b"HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\n\r\n"), Some(Kind::TooLarge));
        assert_eq!(bare(b"HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), Some(Kind::Malformed));
        for other in [
            &b"HTTP/1.1 400 Bad Request\r\nX-Request-Id: req_1\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 10\r\n\r\n",
            b"HTTP/1.1 4",
            b"{\"data\":\"HTTP/1.1 400 \"}",
            b"",
        ] {
            assert_eq!(bare(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[tokio::test]
    async fn the_full_answer_goes_out_and_stands_for_the_bare_one() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let sending = tokio::spawn(async move {
            let mut refusal = Refusal::new(Kind::TooLarge, 77, "req_1");
            std::future::poll_fn(|cx| refusal.poll_write(Pin::new(&mut near), cx)).await.unwrap()
        });
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut far, &mut text).await.unwrap();
        assert_eq!(sending.await.unwrap(), 77);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 ") && head.contains(&format!("content-length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "headers_too_large");
        assert_eq!(body["error"]["request_id"], "req_1");
    }
}
