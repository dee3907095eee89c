//! What a tenant decides for itself.

use scaivault_domain::duration::Span;
use scaivault_store::tenant::TenantSettings;

use crate::context::Context;
use crate::error::{Error, FaultCode, FieldFault, Result};

/// The audit trail is kept at least this long, whatever a tenant wishes (contract 02 section 7).
const MIN_AUDIT_RETENTION_SECONDS: i64 = 30 * 86_400;
const MAX_VERSIONS: std::ops::RangeInclusive<i64> = 1..=100;

/// `settings` of a tenant; `Some(None)` goes back to the server's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    pub soft_delete_retention: Option<Option<Span>>,
    pub audit_retention: Option<Option<Span>>,
    pub default_max_versions: Option<Option<i64>>,
    pub max_secret_bytes: Option<Option<i64>>,
}

impl SettingsChange {
    /// # Errors
    /// `validation_error` with every value that this server does not allow.
    pub(super) fn check(&self, cx: &Context<'_>) -> Result<()> {
        let faults = self.faults(i64::try_from(cx.vault.settings.max_secret_bytes).unwrap_or(i64::MAX));
        if faults.is_empty() { Ok(()) } else { Err(Error::validation(faults)) }
    }

    fn faults(&self, server_max_bytes: i64) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, message: String| {
            faults.push(FieldFault::new(format!("settings.{field}"), FaultCode::Range, message));
        };
        let set = |span: &Option<Option<Span>>| span.clone().flatten();
        if set(&self.soft_delete_retention).is_some_and(|span| span.is_zero()) {
            fault("soft_delete_retention", "must be longer than zero".to_owned());
        }
        if set(&self.audit_retention).is_some_and(|span| span.seconds() < MIN_AUDIT_RETENTION_SECONDS) {
            fault("audit_retention", "must be at least 30d".to_owned());
        }
        if self.default_max_versions.flatten().is_some_and(|count| !MAX_VERSIONS.contains(&count)) {
            fault("default_max_versions", "must be between 1 and 100".to_owned());
        }
        if self.max_secret_bytes.flatten().is_some_and(|bytes| !(1..=server_max_bytes).contains(&bytes)) {
            fault("max_secret_bytes", format!("must be between 1 and {server_max_bytes}"));
        }
        faults
    }

    pub(super) fn apply(&self, settings: &mut TenantSettings, changed: &mut Vec<&'static str>) {
        let text = |span: &Option<Option<Span>>| span.clone().map(|span| span.map(|span| span.as_str().to_owned()));
        let retention = text(&self.soft_delete_retention);
        super::change("settings.soft_delete_retention", &mut settings.soft_delete_retention, retention, changed);
        let audit = text(&self.audit_retention);
        super::change("settings.audit_retention", &mut settings.audit_retention, audit, changed);
        let versions = self.default_max_versions;
        super::change("settings.default_max_versions", &mut settings.default_max_versions, versions, changed);
        super::change("settings.max_secret_bytes", &mut settings.max_secret_bytes, self.max_secret_bytes, changed);
    }

    /// Every setting back to its default.
    pub fn reset() -> Self {
        Self {
            soft_delete_retention: Some(None),
            audit_retention: Some(None),
            default_max_versions: Some(None),
            max_secret_bytes: Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_settings() {
        let span = |text| Some(Some(Span::parse(text).unwrap()));
        let good = SettingsChange {
            soft_delete_retention: span("1s"),
            audit_retention: span("30d"),
            default_max_versions: Some(Some(100)),
            max_secret_bytes: Some(Some(1000)),
        };
        assert!(good.faults(1000).is_empty() && SettingsChange::reset().faults(1).is_empty());
        let bad = SettingsChange {
            soft_delete_retention: span("0s"),
            audit_retention: span("29d23h"),
            default_max_versions: Some(Some(0)),
            max_secret_bytes: Some(Some(1001)),
        };
        assert_eq!(bad.faults(1000).len(), 4);
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let mut settings = TenantSettings { max_secret_bytes: Some(5), ..TenantSettings::default() };
        let mut changed = Vec::new();
        let change = SettingsChange { default_max_versions: Some(Some(3)), ..SettingsChange::default() };
        change.apply(&mut settings, &mut changed);
        assert_eq!((settings.max_secret_bytes, settings.default_max_versions), (Some(5), Some(3)));
        assert_eq!(changed, ["settings.default_max_versions"]);
        SettingsChange::reset().apply(&mut settings, &mut changed);
        assert_eq!(settings, TenantSettings::default());
    }
}
