//! Secrets get another path, or a twin at another one (contract 01 section 13). What both share: which secrets go, who may send
//! them, whether there is room, and what the trail says of each.

mod copying;
mod moving;

pub use copying::CopySecrets;
pub use moving::MoveSecrets;

use scaivault_domain::access::{Grant, Permit, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::path::SecretPath;
use scaivault_domain::time::Timestamp;
use scaivault_store::WriteTx;
use scaivault_store::secret::{self, Presence, SecretRecord};
use scaivault_store::secret_list::{self, Criteria, Order};

use super::{IfMatch, deleted, live, not_found, permitted_path, version_conflict};
use crate::context::Context;
use crate::error::{Code, Error, FaultCode, Result};

/// More at once would keep the writer from everybody else for too long.
const MOST_SECRETS: usize = 1000;

/// From where to where.
pub struct Journey {
    pub space: Space,
    pub from: SecretPath,
    pub to: SecretPath,
    /// Both are folders: every live secret below the first goes below the second.
    pub recursive: bool,
    /// Only for one secret.
    pub if_match: IfMatch,
}

/// A secret that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocated {
    pub from: String,
    pub to: String,
    pub version: i64,
}

/// A secret that may go.
struct Leg {
    record: SecretRecord,
    to: SecretPath,
    /// What opened the source.
    grant: Grant,
}

impl Journey {
    fn target(&self) -> Target {
        if self.recursive { self.below(&self.from) } else { self.at(&self.from) }
    }

    fn below(&self, folder: &SecretPath) -> Target {
        Target::Listing { space: self.space, prefix: Some(folder.as_str().to_owned()) }
    }

    fn at(&self, path: &SecretPath) -> Target {
        Target::Secret { space: self.space, path: path.clone() }
    }

    /// Has `carry` take each secret over and answers the version it has there. `leave` is what is decided on each source.
    fn travel(
        &self,
        leave: Action,
        permit: &Permit,
        tx: &mut WriteTx<'_>,
        cx: &mut Context<'_>,
        carry: impl Fn(&mut WriteTx<'_>, &mut Context<'_>, &SecretScope, &Leg) -> Result<i64>,
    ) -> Result<Vec<Relocated>> {
        cx.note("destination", self.to.as_str());
        let scope = permit.secrets();
        let legs = if self.recursive { self.folder(leave, permit, tx, cx)? } else { vec![self.one(permit, tx, cx)?] };
        let mut arrived = Vec::with_capacity(legs.len());
        for leg in legs {
            check_room(tx, scope, &leg.to, cx.now)?;
            let version = carry(tx, cx, scope, &leg)?;
            if self.recursive {
                let extra = [("destination", leg.to.as_str().into()), ("version", version.into())];
                cx.note_path(&leg.record.path, Some(leg.grant), extra, None);
            } else {
                cx.note("version", version);
            }
            arrived.push(Relocated { from: leg.record.path, to: leg.to.as_str().to_owned(), version });
        }
        arrived.sort_by(|left, right| left.from.cmp(&right.from));
        Ok(arrived)
    }

    fn one(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &Context<'_>) -> Result<Leg> {
        // Before anything is looked at: who may not write there hears the same whatever is here.
        cx.permit(Action::SecretWrite, &self.at(&self.to))?;
        let record = live(tx, permit.secrets(), permitted_path(permit)?, cx.now)?;
        self.if_match.check(Some(record.current_version))?;
        Ok(Leg { record, to: self.to.clone(), grant: permit.grant().clone() })
    }

    /// Every live secret of the folder, each with a decision of its own on where it is and on where it goes.
    fn folder(&self, leave: Action, permit: &Permit, tx: &mut WriteTx<'_>, cx: &Context<'_>) -> Result<Vec<Leg>> {
        let below = format!("{}/", self.from);
        let arrival = cx.permit(Action::SecretWriteFolder, &self.below(&self.to))?;
        // Before anything is looked at: without a rule for any path of a folder, nobody hears whether the source is empty.
        self.check_folder(permit, leave, &self.from, cx)?;
        self.check_folder(&arrival, Action::SecretWrite, &self.to, cx)?;
        let found = first_below(tx, permit.secrets(), &below, cx.now)?;
        if found.is_empty() {
            return Err(not_found(&self.from));
        }
        let mut legs = Vec::with_capacity(found.len());
        for record in found {
            let path = SecretPath::parse(&record.path).map_err(|_| Error::internal("a stored path is not valid"))?;
            // The folder is named, not the secret in it: the caller may not know of that.
            let source = cx.permit(leave, &self.at(&path)).map_err(|error| error.with("path", self.from.as_str()))?;
            legs.push((record, source.grant().clone()));
        }
        if legs.len() > MOST_SECRETS {
            let message = format!("takes at most {MOST_SECRETS} secrets; there are more below this path");
            return Err(Error::field("recursive", FaultCode::Range, message));
        }
        let mut legs = legs.into_iter().map(|leg| self.leg(leg, &below, cx)).collect::<Result<Vec<_>>>()?;
        // Where folders overlap (`a/b` into `a`) a secret may go where another one still is. That one's path is shorter, so it
        // has left by then.
        legs.sort_by_key(|leg| leg.record.path.len());
        Ok(legs)
    }

    fn leg(&self, (record, grant): (SecretRecord, Grant), below: &str, cx: &Context<'_>) -> Result<Leg> {
        let rest = record.path.strip_prefix(below).ok_or_else(|| Error::internal("a scan left its folder"))?;
        let there = format!("{}/{rest}", self.to);
        let to = SecretPath::parse(&there).map_err(|error| {
            Error::new(Code::InvalidPath, format!("The path '{there}' is not valid: {}", error.reason.message()))
                .with("reason", error.reason.as_str())
        })?;
        cx.permit(Action::SecretWrite, &self.at(&to)).map_err(|error| error.with("path", self.to.as_str()))?;
        Ok(Leg { record, to, grant })
    }

    /// # Errors
    /// When no rule permits `action` on any path of the folder: the words that a secret in it would be refused with.
    fn check_folder(&self, permit: &Permit, action: Action, folder: &SecretPath, cx: &Context<'_>) -> Result<()> {
        let below = format!("{folder}/");
        if permit.visibility().reaches_below(&below) {
            return Ok(());
        }
        let child = SecretPath::parse(&format!("{below}_")).unwrap_or_else(|_| folder.clone());
        let refusal = cx.permit(action, &self.at(&child)).err();
        let refusal =
            refusal.unwrap_or_else(|| Error::new(Code::AccessDenied, "No policy permits this below the path"));
        Err(refusal.with("path", folder.as_str()))
    }
}

/// The live secrets below a prefix, one more than may go at most.
fn first_below(tx: &mut WriteTx<'_>, scope: &SecretScope, below: &str, now: Timestamp) -> Result<Vec<SecretRecord>> {
    let criteria = Criteria { include_expired: true, ..Criteria::default() };
    let mut found = Vec::new();
    secret_list::scan(tx, scope, below, &criteria, Order::Path, None, now, |record| {
        found.push(record);
        Ok(found.len() <= MOST_SECRETS)
    })?;
    Ok(found)
}

/// # Errors
/// `version_conflict` or `secret_exists`: nothing is ever overwritten.
fn check_room(tx: &mut WriteTx<'_>, scope: &SecretScope, to: &SecretPath, now: Timestamp) -> Result<()> {
    let taken = match secret::look(tx, scope, to, now)? {
        Presence::Absent => return Ok(()),
        Presence::Live(record) => version_conflict(record.current_version),
        Presence::Deleted(_, trash) => deleted(trash),
    };
    Err(taken.with("path", to.as_str()))
}
