//! What a receiver knows a delivery by (contract 07 section 4).

use scaivault_crypto::{SecretBytes, mac};
use scaivault_domain::time::Timestamp;

use super::destination;
use crate::error::Result;
use crate::keyring::KeySet;
use scaivault_store::delivery_target::DeliveryTarget;

/// The secrets of a target while deliveries are sent.
pub(super) struct Secrets {
    current: SecretBytes,
    /// And until when it signs too.
    previous: Option<(SecretBytes, Timestamp)>,
}

impl Secrets {
    /// # Errors
    /// They do not open: the row was moved or damaged.
    pub(super) fn open(keys: &KeySet, target: &DeliveryTarget) -> Result<Self> {
        let open = |sealed: &[u8]| destination::opened(keys, &target.id, sealed);
        let previous = match &target.previous {
            Some(previous) => Some((open(&previous.secret)?, previous.ends_at)),
            None => None,
        };
        Ok(Self { current: open(&target.secret)?, previous })
    }

    /// The headers of one attempt.
    pub(super) fn headers(
        &self,
        event_id: &str,
        event_type: &str,
        body: &str,
        now: Timestamp,
    ) -> Vec<(&'static str, String)> {
        let timestamp = now.as_seconds().to_string();
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "ScaiVault-Webhook/1.0".to_owned()),
            ("X-ScaiVault-Event-Id", event_id.to_owned()),
            ("X-ScaiVault-Event-Type", event_type.to_owned()),
            ("X-ScaiVault-Signature", signature(&self.current, &timestamp, body)),
        ];
        if let Some((secret, _)) = self.previous.as_ref().filter(|(_, ends_at)| now < *ends_at) {
            headers.push(("X-ScaiVault-Signature-Previous", signature(secret, &timestamp, body)));
        }
        headers.push(("X-ScaiVault-Timestamp", timestamp));
        headers
    }
}

/// Over timestamp, `.` and the raw body.
fn signature(secret: &SecretBytes, timestamp: &str, body: &str) -> String {
    let tag = mac::hmac_sha256(secret.expose(), &[timestamp.as_bytes(), b".", body.as_bytes()]);
    format!("sha256={}", hex::encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[test]
    fn e_9_the_vector_of_the_contract() {
        let body = r#"{"event_id":"evt_1","event_type":"secret.rotated"}"#;
        let key = secret("0123456789abcdef0123456789abcdef");
        let expected = "sha256=6566b514bc9b59b04a984cf4d331cd36f372f1a817e7f8f388d3eded85979c91";
        assert_eq!(signature(&key, "1777000000", body), expected);
        assert_ne!(signature(&key, "1777000000", &format!("{body} ")), expected);
        assert_ne!(signature(&key, "1777000001", body), expected);
    }

    #[test]
    fn e_10_the_previous_secret_signs_until_its_end() {
        let end = Timestamp::from_seconds(100);
        let secrets = Secrets { current: secret("new"), previous: Some((secret("old"), end)) };
        let at = |now| secrets.headers("evt_1", "secret.rotated", "{}", now);
        let value = |headers: &[(&str, String)], name: &str| {
            headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone())
        };
        let before = at(Timestamp::from_seconds(99));
        assert_eq!(value(&before, "X-ScaiVault-Timestamp").unwrap(), "99");
        assert_eq!(value(&before, "X-ScaiVault-Signature").unwrap(), signature(&secret("new"), "99", "{}"));
        assert_eq!(value(&before, "X-ScaiVault-Signature-Previous").unwrap(), signature(&secret("old"), "99", "{}"));
        assert_eq!(value(&at(end), "X-ScaiVault-Signature-Previous"), None);
    }
}
