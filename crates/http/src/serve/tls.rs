//! TLS 1.2 and 1.3 in the server, with a certificate that follows its files.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

/// How often the files are looked at. Whoever renews a certificate does it days before its end.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Why the files are no certificate; names them, and shows nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(String);

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl TlsError {
    fn new(path: &Path, fault: impl std::fmt::Display) -> Self {
        Self(format!("{}: {fault}", path.display()))
    }
}

/// The server's end of TLS. A handle: clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    files: Arc<Files>,
    /// Some listener's task follows the files for all.
    followed: Arc<AtomicBool>,
}

impl Tls {
    /// Reads a PEM certificate chain and its key.
    ///
    /// # Errors
    /// A file can't be read, holds no certificate or key, or the two do not belong together.
    pub fn load(cert: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let files = Files { cert, key };
        let current = Arc::new(Current { certified: RwLock::new(Arc::new(files.read()?)) });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&current) as Arc<dyn ResolvesServerCert>;
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsError(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            current,
            files: Arc::new(files),
            followed: Arc::default(),
        })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Takes a new certificate as soon as both files fit each other; keeps the old one until then. Never ends, unless it is
    /// done already for a clone.
    pub(super) async fn keep_current(self) {
        if self.followed.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut seen = self.files.stamp();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let files = Arc::clone(&self.files);
            let Ok((stamp, read)) = tokio::task::spawn_blocking(move || {
                let stamp = files.stamp();
                (stamp, (stamp != seen).then(|| files.read()))
            })
            .await
            else {
                continue;
            };
            seen = stamp;
            match read {
                None => {}
                Some(Ok(certified)) => {
                    self.current.set(certified);
                    tracing::info!("the TLS certificate was reloaded");
                }
                // Files that are replaced one after the other do not fit for a moment: the next change is looked at again.
                Some(Err(error)) => tracing::error!(%error, "the new TLS certificate can't be used; the old one stays"),
            }
        }
    }
}

struct Current {
    certified: RwLock<Arc<CertifiedKey>>,
}

impl Current {
    fn set(&self, certified: CertifiedKey) {
        *self.certified.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certified.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// Changes when a file does: also when it is a link that was turned to another file, as Kubernetes does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([Option<(Option<SystemTime>, u64, u64)>; 2]);

impl Files {
    fn stamp(&self) -> Stamp {
        let one = |path: &Path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok(), meta.len(), file_number(&meta)))
        };
        Stamp([one(&self.cert), one(&self.key)])
    }

    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error: rustls::pki_types::pem::Error| TlsError::new(&path, error)
        };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(&self.cert).and_then(Iterator::collect).map_err(unreadable(&self.cert))?;
        if chain.is_empty() {
            return Err(TlsError::new(&self.cert, "holds no certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unreadable(&self.key))?;
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| TlsError::new(&self.key, format!("is not the key of {}: {error}", self.cert.display())))
    }
}

#[cfg(unix)]
fn file_number(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn file_number(_meta: &Metadata) -> u64 {
    0
}
