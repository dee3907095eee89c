//! Move and copy (contract 01 section 13).

use scaivault_api::secret as wire;
use scaivault_domain::path::SecretPath;
use scaivault_service::secret::{CopySecrets, IfMatch, Journey, MoveSecrets, Relocated};
use scaivault_service::{FaultCode, Result};

use super::parse::if_match;
use crate::extract::{Boolean, Faults, ObjectReader, Text, present};
use crate::input::{Input, invalid_path};
use crate::reply::Reply;

pub(crate) fn move_secrets(input: &Input<'_>) -> Result<MoveSecrets> {
    let faults = Faults::new();
    let journey = journey(input, input.body(&faults), &faults);
    faults.finish()?;
    Ok(MoveSecrets(present(journey)?))
}

pub(crate) fn copy(input: &Input<'_>) -> Result<CopySecrets> {
    let faults = Faults::new();
    let mut body = input.body(&faults);
    let include_versions = body.get("include_versions", &Boolean).unwrap_or(true);
    let journey = journey(input, body, &faults);
    faults.finish()?;
    Ok(CopySecrets { journey: present(journey)?, include_versions })
}

/// What both take. `None` when a path is faulty, which the faults then say.
fn journey(input: &Input<'_>, mut body: ObjectReader<'_>, faults: &Faults) -> Option<Journey> {
    let from = input.secret_path(faults);
    input.query(faults).finish();
    let text = body.require("destination", &Text::max(usize::MAX));
    let recursive = body.get("recursive", &Boolean).unwrap_or(false);
    let to = text.and_then(|text| faults.take(SecretPath::parse(&text).map_err(|error| invalid_path(&error))));
    if let (Some(from), Some(to)) = (&from, &to) {
        if from == to {
            body.fault("destination", FaultCode::Conflict, "is the source itself");
        } else if recursive && to.as_str().strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            body.fault("destination", FaultCode::Conflict, "lies in the folder that is to go there");
        }
    }
    body.finish();
    let if_match = if_match(input, faults);
    if recursive && if_match != IfMatch::Anything {
        // Not ignored: whoever sends a precondition relies on it.
        faults.field("If-Match", FaultCode::Conflict, "cannot stand together with recursive");
    }
    Some(Journey { space: input.space, from: from?, to: to?, recursive, if_match })
}

fn relocations(relocated: &[Relocated]) -> Vec<wire::Relocation> {
    let view = |one: &Relocated| wire::Relocation { from: one.from.clone(), to: one.to.clone(), version: one.version };
    relocated.iter().map(view).collect()
}

// The signature is the table's: a render function borrows the operation's output.
#[allow(clippy::ptr_arg)]
pub(crate) fn moved(relocated: &Vec<Relocated>) -> Reply {
    Reply::json(&wire::SecretsMoved { moved: relocations(relocated) })
}

#[allow(clippy::ptr_arg)]
pub(crate) fn copied(relocated: &Vec<Relocated>) -> Reply {
    Reply::json(&wire::SecretsCopied { copied: relocations(relocated) })
}
