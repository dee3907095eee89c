//! What every writer of a version shares.

use scaivault_crypto::SecretString;
use scaivault_domain::access::SecretScope;
use scaivault_domain::time::Timestamp;
use scaivault_store::WriteTx;
use scaivault_store::secret::SecretRecord;
use scaivault_store::secret_version::{self, VersionRecord};

use super::sealing_keys;
use crate::context::Work;
use crate::error::{Code, Error, Result};

/// Seals `data` as the next version and makes it current.
pub(crate) fn add_version(
    tx: &mut WriteTx<'_>,
    work: &Work<'_>,
    scope: &SecretScope,
    record: &mut SecretRecord,
    data: &SecretString,
) -> Result<()> {
    let version = record.last_version + 1;
    let keys = sealing_keys(tx, work, scope)?;
    let sealed = keys.seal(&record.id, version, &record.path, data.expose().as_bytes(), &*work.vault.entropy)?;
    let row =
        VersionRecord { version, created_at: work.now, created_by: work.actor().to_owned(), readable_until: None };
    secret_version::insert(tx, &record.id, &row, &sealed)?;
    record.last_version = version;
    record.current_version = version;
    Ok(())
}

/// Removes the oldest versions above the cap. One in grace is never removed and does not count (contract 01 section 7).
pub(crate) fn prune(tx: &mut WriteTx<'_>, record: &SecretRecord, now: Timestamp) -> Result<()> {
    let keep = usize::try_from(record.max_versions).unwrap_or(usize::MAX);
    let surplus: Vec<i64> = secret_version::stored(tx, &record.id)?
        .into_iter()
        .filter(|version| {
            version.version == record.current_version || version.readable_until.is_none_or(|end| end <= now)
        })
        .map(|version| version.version)
        .skip(keep)
        .collect();
    for version in surplus {
        secret_version::remove(tx, &record.id, version, now)?;
    }
    Ok(())
}

/// # Errors
/// `payload_too_large` beyond the tenant's limit (never above the server's).
pub(crate) fn check_size(work: &Work<'_>, data: &SecretString) -> Result<()> {
    let server = work.vault.settings.max_secret_bytes;
    let tenant = work.settings.max_secret_bytes.and_then(|limit| usize::try_from(limit).ok());
    let limit = tenant.map_or(server, |tenant| tenant.min(server));
    if data.len() > limit {
        let message = format!("The payload may have at most {limit} bytes as compact JSON");
        return Err(Error::new(Code::PayloadTooLarge, message).with("limit_bytes", limit));
    }
    Ok(())
}
