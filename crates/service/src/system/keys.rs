//! `GET /v1/sys/keys`: which keys there are, never the keys.

use scaivault_domain::access::{Permit, Target};
use scaivault_domain::action::Action;
use scaivault_domain::time::Timestamp;
use scaivault_store::{ReadView, key};

use crate::context::Context;
use crate::error::Result;
use crate::operation::{Operation, Query};

#[derive(Debug, Clone, Copy, Default)]
pub struct ListKeys;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOverview {
    /// `instance`, `partner`, `namespace` (a partner's shared secrets), `tenant`.
    pub level: String,
    pub owner_id: String,
    pub key_id: String,
    pub created_at: Timestamp,
    /// The one that wraps; older ones only open what they wrapped.
    pub is_active: bool,
}

impl Operation for ListKeys {
    type Output = Vec<KeyOverview>;
    const ACTION: Action = Action::SystemKeys;

    fn target(&self) -> Target {
        Target::Instance
    }
}

impl Query for ListKeys {
    fn run(&self, _permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Vec<KeyOverview>> {
        let mut keys: Vec<KeyOverview> = Vec::new();
        for found in key::listing(view)? {
            // The newest of an owner comes first.
            let is_active =
                keys.last().is_none_or(|last| (&last.level, &last.owner_id) != (&found.level, &found.owner_id));
            keys.push(KeyOverview {
                level: found.level,
                owner_id: found.owner_id,
                key_id: found.key_id,
                created_at: found.created_at,
                is_active,
            });
        }
        cx.note("returned", keys.len());
        Ok(keys)
    }
}
