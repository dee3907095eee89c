//! `scaivault server`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scaivault_http::serve::{self, Ending, Options, Tls, only_metrics};
use scaivault_http::{AnswerBudget, app};
use scaivault_service::{FirstStart, Vault};
use scaivault_store::instance;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::args::ServerArguments;
use super::environment::Flags;
use crate::config::{Config, TlsFiles};
use crate::failure::Failure;
use crate::first_token::{self, Place};
use crate::shutdown::Signals;
use crate::{logging, output, process, wiring};

/// Scrapers are few.
const METRICS_CONNECTIONS: usize = 64;

/// What the jobs under way and the maintenance task get to end, sign and write their last.
const MAINTENANCE_ENDS_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn run(arguments: &ServerArguments) -> Result<(), Failure> {
    let (mut config, warnings) = Flags::from(arguments).configuration()?;
    logging::start(config.log);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    process::harden();
    let max_connections = process::connection_limit();
    let tls = config.listen.tls.as_ref().map(load_tls).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::general(format!("no runtime: {error}")))?;

    // The lock before the port: of two servers on one directory the second hears of the directory. The port before the first
    // start: a token is printed only by a server that can be reached with it.
    let store = wiring::open_store(&config)?;
    let doors = runtime.block_on(async { Doors::open(&config) })?;
    config.listen.bound_to(doors.address);
    let vault = wiring::vault(&config, store);
    if let Some((first, place)) = start(&vault, &config)? {
        hand_over(&first, place, &config)?;
    }

    let options = |max_connections, tls| Options {
        tls,
        max_connections,
        drain: Duration::from_secs(config.shutdown_timeout.seconds().unsigned_abs()),
        ..Options::new(request_ids(&vault))
    };
    let answers = AnswerBudget::default();
    let main = Door { listener: doors.main, app: app(Arc::clone(&vault), wiring::http_settings(&config, &answers)) };
    let metrics = doors.metrics.map(|listener| Door {
        listener,
        app: only_metrics(app(Arc::clone(&vault), wiring::metrics_settings(&config, &answers))),
    });
    let url = format!("{}://{}", config.listen.scheme(), doors.address);
    tracing::info!(%url, base_url = config.listen.base_url, max_connections, "listening");
    // Scripts wait for this line. Whoever reads it may stop reading then, so it is the last one.
    if let Err(error) = output::result(&format!("listening on {url}\n")) {
        tracing::warn!(%error, "standard output can't be written");
    }
    let served = Served {
        vault: Arc::clone(&vault),
        main: (main, options(max_connections, tls.clone())),
        // It may take tokens too.
        metrics: metrics.map(|door| (door, options(METRICS_CONNECTIONS, tls))),
    };
    runtime.block_on(served.until_told_to_stop(doors.signals));
    // Handlers whose connection was cut may still wait for the store, which is closed: they end by themselves.
    runtime.shutdown_timeout(Duration::from_secs(1));
    tracing::info!("stopped");
    Ok(())
}

fn load_tls(files: &TlsFiles) -> Result<Tls, Failure> {
    Tls::load(files.cert.clone(), files.key.clone())
        .map_err(|error| Failure::usage(format!("TLS_CERT_FILE, TLS_KEY_FILE: {error}")))
}

fn request_ids(vault: &Arc<Vault>) -> serve::RequestIds {
    let vault = Arc::clone(vault);
    Arc::new(move || match vault.ulid(vault.now()) {
        Ok(ulid) => scaivault_domain::id::RequestId::from_ulid(ulid).as_str().to_owned(),
        // Without randomness nothing else works either.
        Err(_) => "req_0".to_owned(),
    })
}

/// Opens the instance; a new one comes with its first token and where that goes.
fn start(vault: &Arc<Vault>, config: &Config) -> Result<Option<(FirstStart, Place)>, Failure> {
    if vault.store().read(instance::exists)? {
        vault.start()?;
        return Ok(None);
    }
    let place = Place::settle(config.init_token_file.as_ref())?;
    match vault.start() {
        Ok(Some(first)) => Ok(Some((first, place))),
        Ok(None) if vault.store().read(instance::exists)? => {
            place.abandon();
            tracing::info!("another node was quicker and initialised the instance; the first token is with it");
            Ok(None)
        }
        Ok(None) => {
            place.abandon();
            tracing::warn!("the database is empty and was not initialised; see above for what is missing");
            Ok(None)
        }
        Err(error) => {
            place.abandon();
            Err(error.into())
        }
    }
}

fn hand_over(first: &FirstStart, place: Place, config: &Config) -> Result<(), Failure> {
    tracing::info!(
        partner = first.partner_id,
        tenant = first.tenant_id,
        identity = first.identity_id,
        "a new instance was initialised"
    );
    let text = first_token::as_text(first, place, &first_token::url(&config.listen))?;
    output::result(&text).map_err(|error| {
        Failure::general(format!(
            "the first token could not be printed: {error}; nobody can sign in: remove the data directory and start again, or set SCAIVAULT_INIT_TOKEN_FILE"
        ))
    })
}

/// The listeners, and what ends them. Nothing is answered yet: who connects waits.
struct Doors {
    main: TcpListener,
    address: SocketAddr,
    metrics: Option<TcpListener>,
    signals: Signals,
}

impl Doors {
    fn open(config: &Config) -> Result<Self, Failure> {
        let bind = |name: &str, address: SocketAddr| {
            serve::bind(address)
                .map_err(|error| Failure::general(format!("{name}: can't listen on {address}: {error}")))
        };
        let main = bind("BIND_ADDRESS", config.listen.address)?;
        let address = main.local_addr().map_err(Failure::general)?;
        let metrics = config.metrics.address.map(|address| bind("METRICS_BIND_ADDRESS", address)).transpose()?;
        if let Some(address) = metrics.as_ref().and_then(|metrics| metrics.local_addr().ok()) {
            tracing::info!(%address, scheme = config.listen.scheme(), "metrics have a port of their own");
        }
        let signals = Signals::install().map_err(|error| Failure::general(format!("no signal handlers: {error}")))?;
        Ok(Self { main, address, metrics, signals })
    }
}

/// A listener and what it serves.
struct Door {
    listener: TcpListener,
    app: serve::Router,
}

struct Served {
    vault: Arc<Vault>,
    main: (Door, Options),
    metrics: Option<(Door, Options)>,
}

impl Served {
    /// Serves; on the first signal turns unready, lets open requests end, writes what waits and closes the store.
    async fn until_told_to_stop(self, mut signals: Signals) {
        let (stop, stopped) = watch::channel(false);
        let (rest, resting) = watch::channel(false);
        let jobs = tokio::spawn(Arc::clone(&self.vault).run_jobs(resting.clone()));
        let maintenance = tokio::spawn(Arc::clone(&self.vault).maintain(resting));

        let (main, options) = self.main;
        let serving = async {
            let main = serve::serve(main.listener, main.app, options, stopped.clone());
            let metrics = async {
                if let Some((door, options)) = self.metrics {
                    serve::serve(door.listener, door.app, options, stopped.clone()).await;
                }
            };
            tokio::join!(main, metrics).0
        };
        let vault = &self.vault;
        let cut_short = async move {
            let signal = signals.next().await;
            tracing::info!(signal, "shutting down; open requests may end");
            vault.begin_shutdown();
            let _ = stop.send(true);
            let signal = signals.next().await;
            tracing::warn!(signal, "a second signal: open requests are cut");
            // Dropped only now, because the listeners take a dropped sender for a stop as well.
            drop(stop);
        };
        tokio::select! {
            ending = serving => match ending {
                Ending::Drained => tracing::info!("all requests have ended"),
                Ending::Cut(connections) => tracing::warn!(connections, "the time for open requests is over; they were cut"),
            },
            () = cut_short => {}
        }

        let _ = rest.send(true);
        let ending = async { tokio::join!(jobs, maintenance) };
        if tokio::time::timeout(MAINTENANCE_ENDS_WITHIN, ending).await.is_err() {
            tracing::warn!(
                "jobs or maintenance did not end in time; what they had begun is taken up at the next start"
            );
        }
        self.vault.shut_down().await;
    }
}
