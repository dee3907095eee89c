//! What a blob is bound to: the associated data of every seal.
//!
//! A row copied to another tenant, path, version or purpose carries associated data that no longer
//! fits its new place, and does not open.

/// The place of one version of one secret.
///
/// A struct with names rather than three arguments, because two swapped strings would go unnoticed
/// until somebody swapped them back.
#[derive(Clone, Copy, Debug)]
pub struct SecretVersion<'a> {
    /// The tenant, or the partner for secrets in a partner's namespace.
    pub tenant: &'a str,
    /// The secret's own id, not its path: a move must not touch the value.
    pub secret_id: &'a str,
    /// Version number, from 1.
    pub version: i64,
}

/// The place of another secret of a tenant: a webhook secret, a CA key, a kept answer.
#[derive(Clone, Copy, Debug)]
pub struct TenantItem<'a> {
    /// Kind of item, a constant of the caller such as `webhook_secret`.
    pub purpose: &'a str,
    /// The tenant, or the partner for items of a partner's namespace.
    pub tenant: &'a str,
    /// The item's id within its kind and tenant.
    pub item_id: &'a str,
}

/// The place of a secret of the installation, such as a signing key.
#[derive(Clone, Copy, Debug)]
pub struct InstanceItem<'a> {
    /// Kind of item, a constant of the caller such as `audit_signing_key`.
    pub purpose: &'a str,
    /// The item's id within its kind.
    pub item_id: &'a str,
}

/// Associated data by purpose. The operations of [`envelope`](crate::envelope) build it themselves.
#[derive(Clone, Copy, Debug)]
pub enum Aad<'a> {
    /// A data key under its tenant key. Holds the path too, so that the row of one path cannot
    /// answer for another; a move re-wraps the data key and leaves the value alone.
    DataKey {
        /// Whose value the key seals.
        at: SecretVersion<'a>,
        /// The secret's path.
        path: &'a str,
    },
    /// An item of the installation under the instance key.
    InstanceItem(InstanceItem<'a>),
    /// The instance key under the root key.
    InstanceKey,
    /// A partner key under the root key.
    PartnerKey {
        /// The partner's id.
        partner: &'a str,
    },
    /// The key of a partner's own secrets, under the partner key.
    PartnerSecretsKey {
        /// The partner's id.
        partner: &'a str,
    },
    /// An item of a tenant under the tenant key.
    TenantItem(TenantItem<'a>),
    /// A tenant key under its partner key.
    TenantKey {
        /// The tenant's id.
        tenant: &'a str,
        /// The id of the partner it belongs to.
        partner: &'a str,
    },
    /// A value under its data key.
    Value(SecretVersion<'a>),
}

impl<'a> Aad<'a> {
    /// For a value under its data key.
    pub fn value(tenant: &'a str, secret_id: &'a str, version: i64) -> Self {
        Self::Value(SecretVersion { tenant, secret_id, version })
    }

    /// For a data key under its tenant key.
    pub fn data_key(tenant: &'a str, secret_id: &'a str, version: i64, path: &'a str) -> Self {
        Self::DataKey { at: SecretVersion { tenant, secret_id, version }, path }
    }

    /// For a tenant key under its partner key.
    pub fn tenant_key(tenant: &'a str, partner: &'a str) -> Self {
        Self::TenantKey { tenant, partner }
    }

    /// For a partner key under the root key.
    pub fn partner_key(partner: &'a str) -> Self {
        Self::PartnerKey { partner }
    }

    /// For the key of a partner's own secrets, under the partner key.
    pub fn partner_secrets_key(partner: &'a str) -> Self {
        Self::PartnerSecretsKey { partner }
    }

    /// For the instance key under the root key.
    pub fn instance_key() -> Self {
        Self::InstanceKey
    }

    /// For another secret of a tenant.
    pub fn tenant_item(purpose: &'a str, tenant: &'a str, item_id: &'a str) -> Self {
        Self::TenantItem(TenantItem { purpose, tenant, item_id })
    }

    /// For a secret of the installation.
    pub fn instance_item(purpose: &'a str, item_id: &'a str) -> Self {
        Self::InstanceItem(InstanceItem { purpose, item_id })
    }

    /// The canonical bytes: label, then the fields, each after its length (8 bytes, big-endian).
    ///
    /// Injective: the length prefixes make the list of fields readable back, the label comes first
    /// and is different for every purpose. Never empty, because the label never is.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        let mut put = |field: &[u8]| {
            // A usize is at most 64 bits on every target Rust has.
            out.extend_from_slice(&(field.len() as u64).to_be_bytes());
            out.extend_from_slice(field);
        };
        put(self.label().as_bytes());
        match self {
            Self::DataKey { at, path } => {
                put(at.tenant.as_bytes());
                put(at.secret_id.as_bytes());
                put(&at.version.to_be_bytes());
                put(path.as_bytes());
            }
            Self::InstanceItem(item) => {
                put(item.purpose.as_bytes());
                put(item.item_id.as_bytes());
            }
            Self::InstanceKey => {}
            Self::PartnerKey { partner } | Self::PartnerSecretsKey { partner } => {
                put(partner.as_bytes());
            }
            Self::TenantItem(item) => {
                put(item.purpose.as_bytes());
                put(item.tenant.as_bytes());
                put(item.item_id.as_bytes());
            }
            Self::TenantKey { tenant, partner } => {
                put(tenant.as_bytes());
                put(partner.as_bytes());
            }
            Self::Value(at) => {
                put(at.tenant.as_bytes());
                put(at.secret_id.as_bytes());
                put(&at.version.to_be_bytes());
            }
        }
        out
    }

    /// Part of the stored format: changing a label makes everything sealed under it unopenable.
    fn label(&self) -> &'static str {
        match self {
            Self::DataKey { .. } => "scaivault/data-key",
            Self::InstanceItem(_) => "scaivault/instance-item",
            Self::InstanceKey => "scaivault/instance-key",
            Self::PartnerKey { .. } => "scaivault/partner-key",
            Self::PartnerSecretsKey { .. } => "scaivault/partner-secrets-key",
            Self::TenantItem(_) => "scaivault/tenant-item",
            Self::TenantKey { .. } => "scaivault/tenant-key",
            Self::Value(_) => "scaivault/value",
        }
    }
}

#[cfg(test)]
mod tests;
