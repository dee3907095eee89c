//! Whether a URL may become a target.

use std::net::IpAddr;
use std::time::Duration;

use scaivault_domain::webhook::{TargetUrl, UrlHost};

use crate::error::{Code, Error, FaultCode, Result};
use crate::vault::Vault;

/// A name that can't be resolved within this time may come later; it is looked at again before each attempt.
const PATIENCE: Duration = Duration::from_secs(5);

impl Vault {
    /// Resolves the name in `url`, so never call it inside a transaction. `field` is where the URL stood.
    ///
    /// # Errors
    /// 422 for plain HTTP to anything but this machine; 400 `invalid_config` for an address that must not be called.
    pub async fn judge_target(&self, url: &TargetUrl, field: &str) -> Result<()> {
        let rules = &self.settings.webhook_addresses;
        let addresses: Vec<IpAddr> = match url.host() {
            UrlHost::Address(address) => vec![address],
            UrlHost::Name(name) => {
                let found = tokio::time::timeout(PATIENCE, self.poster.names().look_up(&name)).await;
                found.ok().and_then(std::result::Result::ok).unwrap_or_default()
            }
        };
        let plain_well = |address: &IpAddr| rules.admits_plain(*address) && rules.check(*address).is_ok();
        if url.is_plain() && !rules.allow_http && (addresses.is_empty() || !addresses.iter().all(plain_well)) {
            return Err(Error::field(field, FaultCode::Format, "must be an https:// URL"));
        }
        match addresses.iter().find_map(|address| rules.check(*address).err()) {
            None => Ok(()),
            Some(class) => Err(Error::new(
                Code::InvalidConfig,
                format!("'{field}' leads to an address that is not allowed; an operator can admit it (WEBHOOK_ALLOWED_CIDRS)"),
            )
            .with("field", field)
            .with("reason", format!("{} address", class.as_str()))),
        }
    }
}
