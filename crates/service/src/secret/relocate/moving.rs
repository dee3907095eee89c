//! Moving: the same secret under another path.

use scaivault_domain::access::{Permit, SecretScope, Target};
use scaivault_domain::action::Action;
use scaivault_domain::event::EventBody;
use scaivault_store::secret::{self, SecretRecord};
use scaivault_store::{WriteTx, secret_version};

use super::{Journey, Leg, Relocated};
use crate::context::Context;
use crate::error::Result;
use crate::event::Happening;
use crate::operation::{Command, Operation};
use crate::secret::{life, sealing_keys};

/// `POST /v1/secrets/{path}/move`
pub struct MoveSecrets(pub Journey);

impl Operation for MoveSecrets {
    type Output = Vec<Relocated>;
    const ACTION: Action = Action::SecretMove;

    fn action(&self) -> Action {
        if self.0.recursive { Action::SecretMoveFolder } else { Self::ACTION }
    }

    fn target(&self) -> Target {
        self.0.target()
    }
}

impl Command for MoveSecrets {
    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Vec<Relocated>> {
        self.0.travel(Self::ACTION, permit, tx, cx, carry)
    }
}

/// Everything that hangs on the id (versions, tombstones, statistics) goes along by itself. Only the wraps of the data keys hold
/// the path, and they are renewed without opening a value: whoever moves need not be one who may read.
fn carry(tx: &mut WriteTx<'_>, cx: &mut Context<'_>, scope: &SecretScope, leg: &Leg) -> Result<i64> {
    let keys = sealing_keys(tx, cx, scope)?;
    let (record, entropy) = (&leg.record, &*cx.vault.entropy);
    for (version, wrapped) in secret_version::data_keys(tx, &record.id)? {
        let renewed = keys.rewrap(&record.id, version, &record.path, leg.to.as_str(), &wrapped, entropy)?;
        secret_version::replace_data_key(tx, &record.id, version, &renewed)?;
    }
    secret::relocate(tx, scope, record, &leg.to, cx.now)?;
    let arrived = SecretRecord { path: leg.to.as_str().to_owned(), updated_at: cx.now, ..record.clone() };
    life::plan(tx, scope, &arrived, cx.now)?;
    // Once for those who follow the old path, once for those of the new one.
    for place in [record, &arrived] {
        let body = EventBody::SecretMoved {
            from: record.path.clone(),
            to: arrived.path.clone(),
            version: record.current_version,
            moved_by: cx.actor().to_owned(),
        };
        cx.emit(Happening::of_secret(scope, place, body));
    }
    Ok(record.current_version)
}
