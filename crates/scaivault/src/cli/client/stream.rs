//! Server-sent events: `id:`, `event:` and `data:` lines, a blank line after each event.

use std::time::Duration;

use reqwest::Response;

/// The server writes a comment every 15 seconds; a longer silence is a dead connection.
const SILENCE: Duration = Duration::from_secs(50);
/// An event is small. What grows beyond this is not one.
const LONGEST_EVENT: usize = 1024 * 1024;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: String,
}

pub(crate) struct Stream {
    response: Response,
    reader: Reader,
}

impl Stream {
    pub(super) fn new(response: Response) -> Self {
        Self { response, reader: Reader::default() }
    }

    /// The next event; `None` when the connection is over, however it ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.reader.event() {
                return Some(event);
            }
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await.ok()?.ok()??;
            if !self.reader.take(&chunk) {
                return None;
            }
        }
    }
}

#[derive(Default)]
struct Reader {
    buffer: Vec<u8>,
    event: Event,
}

impl Reader {
    /// Says whether there was room.
    fn take(&mut self, chunk: &[u8]) -> bool {
        self.buffer.extend_from_slice(chunk);
        self.buffer.len() <= LONGEST_EVENT
    }

    fn event(&mut self) -> Option<Event> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if !line.is_empty() {
                self.line(line);
                continue;
            }
            let event = std::mem::take(&mut self.event);
            if event != Event::default() {
                return Some(event);
            }
        }
        None
    }

    fn line(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments, and what later servers may add.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_across_chunks() {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for chunk in [
            ": hello\n\n",
            "id: evt_1\nev",
            "ent: secret.created\r\ndata: {\"a\":",
            "1}\n\nid: evt_2\ndata: x\ndata: y\n\n",
        ] {
            assert!(reader.take(chunk.as_bytes()));
            events.extend(std::iter::from_fn(|| reader.event()));
        }
        let event = |id: &str, name: &str, data: &str| Event {
            id: Some(id.to_owned()),
            name: name.to_owned(),
            data: data.to_owned(),
        };
        assert_eq!(events, [event("evt_1", "secret.created", "{\"a\":1}"), event("evt_2", "", "x\ny")]);
        assert!(!reader.take(&[b'x'; LONGEST_EVENT + 1]));
    }
}
