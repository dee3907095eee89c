//! A real server whose jobs run by themselves.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use reqwest::{Client, RequestBuilder};
use scaivault_http::HttpSettings;
use scaivault_http::serve::{self, Ending, Options};
use scaivault_testkit::{Actor, TestApp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct Live {
    pub(crate) app: TestApp,
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<Ending>,
}

impl Live {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let app = TestApp::new().await;
        let listener = serve::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let mut options = Options::new(Arc::new(|| "req_00000000000000000000000000".to_owned()));
        change(&mut options);
        let router = scaivault_http::app(Arc::clone(&app.vault), HttpSettings::default());
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(serve::serve(listener, router, options, stopped.clone()));
        tokio::spawn(Arc::clone(&app.vault).run_jobs(stopped));
        Self { app, address, stop, served }
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    pub(crate) fn get(&self, actor: &Actor<'_>, target: &str) -> RequestBuilder {
        Client::new().get(self.url(target)).bearer_auth(actor.token())
    }

    /// As the program does it on a signal.
    pub(crate) fn shut_down(&self) {
        self.app.vault.begin_shutdown();
        let _ = self.stop.send(true);
    }

    /// How the listener ended, once it did.
    pub(crate) async fn ended(self) -> Ending {
        self.served.await.unwrap()
    }
}
