//! What this program was built from; `build.rs` finds it out.

use scaivault_http::BuildInfo;

pub(crate) const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    commit: env!("SCAIVAULT_COMMIT"),
    built_at: env!("SCAIVAULT_BUILT_AT"),
};

/// The text of `scaivault --version` after the name.
pub(crate) const VERSION_LINE: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("SCAIVAULT_COMMIT"),
    ", built ",
    env!("SCAIVAULT_BUILT_AT"),
    ")"
);
