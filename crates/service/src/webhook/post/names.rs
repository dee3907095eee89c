//! From names to addresses, on threads of their own: the system's resolver blocks, for many seconds where a name server is silent.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, Semaphore};

use super::NameFault;
use crate::metrics::Stopwatch;

/// Threads that may wait for name servers at a time, of the five hundred that blocking work has.
const AT_A_TIME: usize = 64;
/// Attempts that begin together share one look.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Names that are remembered before those that nobody asks for are forgotten.
const REMEMBERED: usize = 1024;

type Place = Arc<Turn<Option<(Stopwatch, Vec<IpAddr>)>>>;

pub(crate) struct Names {
    threads: Arc<Semaphore>,
    places: Mutex<HashMap<String, Place>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { threads: Arc::new(Semaphore::new(AT_A_TIME)), places: Mutex::default() }
    }
}

impl Names {
    /// One look for each name at a time: a name that hangs holds one thread, however many ask for it.
    pub(crate) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, NameFault> {
        let mut place = self.place(name).lock_owned().await;
        if let Some((looked, addresses)) = place.as_ref()
            && looked.elapsed() < FRESH_FOR
        {
            return Ok(addresses.clone());
        }
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| NameFault::Unknown)?;
        let name = name.to_owned();
        // The turn goes along: whoever gives up waiting does not let the next one in while the thread is still at it.
        let looked_up = tokio::task::spawn_blocking(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            drop(thread);
            let mut addresses: Vec<IpAddr> = found.into_iter().flatten().map(|socket| socket.ip()).collect();
            addresses.dedup();
            *place = (!addresses.is_empty()).then(|| (Stopwatch::start(), addresses.clone()));
            addresses
        });
        match looked_up.await {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            Ok(_) | Err(_) => Err(NameFault::Unknown),
        }
    }

    fn place(&self, name: &str) -> Place {
        let mut places = self.places.lock();
        if places.len() >= REMEMBERED {
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(places.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_told_from_one_that_leads_home() {
        let names = Names::default();
        assert!(names.look_up("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
        assert_eq!(names.look_up("nowhere.invalid").await, Err(NameFault::Unknown));
        assert_eq!(names.places.lock().len(), 2);
    }
}
