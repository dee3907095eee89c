//! Who waits on this server for something to happen. Nothing here says what: whoever is woken looks into the database.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// Streams that an identity may have open at a time (contract 07 section 5).
pub(crate) const STREAMS_OF_AN_IDENTITY: usize = 16;

/// The doorbells of tenants (an event was written) and of subscriptions (something was put into the buffer).
#[derive(Default)]
pub(crate) struct Listening {
    bells: Mutex<HashMap<String, watch::Sender<()>>>,
    polls: Mutex<HashMap<String, Arc<Notify>>>,
    streams: Mutex<HashMap<String, usize>>,
}

impl Listening {
    /// Hears from now on of what [`Self::ring`] is called for under the same name.
    pub(crate) fn listen(self: &Arc<Self>, name: &str) -> Ear {
        let receiver = match self.bells.lock().entry(name.to_owned()) {
            std::collections::hash_map::Entry::Occupied(bell) => bell.get().subscribe(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let (bell, receiver) = watch::channel(());
                place.insert(bell);
                receiver
            }
        };
        Ear { listening: Arc::clone(self), name: name.to_owned(), receiver }
    }

    /// Called on the writer, so it only leaves word.
    pub(crate) fn ring(&self, name: &str) {
        if let Some(bell) = self.bells.lock().get(name) {
            bell.send_replace(());
        }
    }

    /// Everybody looks up: the server is sealed, or shuts down.
    pub(crate) fn ring_all(&self) {
        for bell in self.bells.lock().values() {
            bell.send_replace(());
        }
    }

    /// Begins the one waiting poll of a subscription; the one before it ends.
    pub(crate) fn begin_poll(self: &Arc<Self>, subscription_id: &str) -> PollTurn {
        let ended = Arc::new(Notify::new());
        if let Some(older) = self.polls.lock().insert(subscription_id.to_owned(), Arc::clone(&ended)) {
            older.notify_one();
        }
        PollTurn { listening: Arc::clone(self), subscription_id: subscription_id.to_owned(), ended }
    }

    /// `None`: the identity has all the streams it may have.
    pub(crate) fn open_stream(self: &Arc<Self>, identity: &str) -> Option<StreamPlace> {
        let mut streams = self.streams.lock();
        let open = streams.entry(identity.to_owned()).or_default();
        if *open >= STREAMS_OF_AN_IDENTITY {
            return None;
        }
        *open += 1;
        Some(StreamPlace { listening: Arc::clone(self), identity: identity.to_owned() })
    }
}

/// Hears one bell.
pub(crate) struct Ear {
    listening: Arc<Listening>,
    name: String,
    receiver: watch::Receiver<()>,
}

impl Ear {
    /// Ready when the bell rang since the last time, or since this began to listen.
    pub(crate) async fn heard(&mut self) {
        // The sender stays in the table as long as this listens.
        if self.receiver.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut bells = self.listening.bells.lock();
        // Its own receiver is one of them until this is over.
        if bells.get(&self.name).is_some_and(|bell| bell.receiver_count() <= 1) {
            bells.remove(&self.name);
        }
    }
}

/// The right to wait for a subscription's events.
pub(crate) struct PollTurn {
    listening: Arc<Listening>,
    subscription_id: String,
    ended: Arc<Notify>,
}

impl PollTurn {
    /// Ready when a newer poll began.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Drop for PollTurn {
    fn drop(&mut self) {
        let mut polls = self.listening.polls.lock();
        if polls.get(&self.subscription_id).is_some_and(|newest| Arc::ptr_eq(newest, &self.ended)) {
            polls.remove(&self.subscription_id);
        }
    }
}

/// One open stream of an identity; given back when it is dropped.
pub(crate) struct StreamPlace {
    listening: Arc<Listening>,
    identity: String,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut streams = self.listening.streams.lock();
        if let Some(open) = streams.get_mut(&self.identity) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                streams.remove(&self.identity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_ready(wait: impl Future<Output = ()>) -> bool {
        tokio::time::timeout(Duration::from_millis(1), wait).await.is_ok()
    }

    #[tokio::test]
    async fn a_bell_is_heard_by_all_who_listen_to_it_and_by_nobody_else() {
        let listening = Arc::new(Listening::default());
        let (mut one, mut two, mut other) = (listening.listen("a"), listening.listen("a"), listening.listen("b"));
        assert!(!is_ready(one.heard()).await, "what was before is not heard");
        listening.ring("a");
        listening.ring("a");
        assert!(is_ready(one.heard()).await && !is_ready(one.heard()).await);
        assert!(is_ready(two.heard()).await && !is_ready(other.heard()).await);
        listening.ring_all();
        assert!(is_ready(one.heard()).await && is_ready(other.heard()).await);
        drop(one);
        listening.ring("a");
        assert!(is_ready(two.heard()).await);
        drop((two, other));
        assert!(listening.bells.lock().is_empty());
    }

    #[tokio::test]
    async fn a_newer_poll_ends_the_older_one() {
        let listening = Arc::new(Listening::default());
        let (first, other) = (listening.begin_poll("a"), listening.begin_poll("b"));
        let second = listening.begin_poll("a");
        assert!(is_ready(first.ended()).await && !is_ready(second.ended()).await && !is_ready(other.ended()).await);
        drop(first);
        let third = listening.begin_poll("a");
        assert!(is_ready(second.ended()).await);
        drop((second, third, other));
        assert!(listening.polls.lock().is_empty());
    }

    #[test]
    fn an_identity_has_so_many_streams_and_no_more() {
        let listening = Arc::new(Listening::default());
        let mut places: Vec<_> = (0..STREAMS_OF_AN_IDENTITY).map(|_| listening.open_stream("a").unwrap()).collect();
        assert!(listening.open_stream("a").is_none() && listening.open_stream("b").is_some());
        places.pop();
        assert!(listening.open_stream("a").is_some());
        places.clear();
        assert!(listening.streams.lock().is_empty());
    }
}
