//! Idempotency-Key: the first answer is kept, sealed, and given again (contract 00 section 7).

use scaivault_crypto::digest::sha256;
use scaivault_domain::access::Permit;
use scaivault_store::{WriteTx, idempotency};

use crate::caller::Caller;
use crate::context::{Context, Notes};
use crate::error::{Error, FaultCode, Result};
use crate::kept::Kept;
use crate::operation::Command;
use crate::pipeline::{Answer, Reply};

/// How long the answer to an Idempotency-Key is kept.
pub(crate) const KEPT_SECONDS: i64 = 24 * 3600;
const KEPT_PURPOSE: &str = "idempotent_reply";

/// How a door turns an answer into bytes.
pub type Render<T> = Box<dyn Fn(&Answer<T>) -> Vec<u8> + Send + Sync>;

/// An Idempotency-Key with all it is bound to (contract 00 section 7).
pub struct Idempotency<T> {
    pub key: String,
    pub method: String,
    /// As the client sent it, so that another query is another request.
    pub url: String,
    /// SHA-256 of the body. It is never stored: of a small body it would tell the body.
    pub body_hash: [u8; 32],
    /// Turns the first answer into the bytes that are kept, sealed under the tenant's key.
    pub render: Render<T>,
}

/// Runs a command, or answers what it answered the first time.
pub(crate) fn run_once<C: Command>(
    tx: &mut WriteTx<'_>,
    cx: &mut Context<'_>,
    command: &C,
    permit: &Permit,
    kept: Option<([u8; 32], &Idempotency<C::Output>)>,
) -> Result<Reply<C::Output>> {
    let Some((request_key, idempotency)) = kept else {
        let output = command.run(permit, tx, cx)?;
        return Ok(Reply::Fresh(Answer { output, outcome: cx.notes.outcome }));
    };
    let scope = permit.tenant();
    let item_id = hex::encode(request_key);
    let unsealed = cx.vault.keyring.unsealed()?;
    let body = body_of(&request_key, &idempotency.body_hash);
    if let Some(earlier) = idempotency::find(tx, &request_key, cx.now.plus_seconds(-KEPT_SECONDS))? {
        // Earlier servers stored the hash itself. Who repeats across an upgrade meets such a row, and means the same request.
        let same =
            unsealed.idempotency_key.verify(&body, &earlier.body_hash) || earlier.body_hash == idempotency.body_hash;
        if !same {
            return Err(Error::field("Idempotency-Key", FaultCode::Conflict, "was used before with another body"));
        }
        still_allowed(tx, cx, command, permit)?;
        let reply = cx.tenant_keys(scope)?.open_item(KEPT_PURPOSE, &item_id, &earlier.reply)?;
        let kept = Kept::parse(reply.expose())?;
        cx.notes = Notes { outcome: kept.outcome, resource_id: kept.resource_id, ..Notes::default() };
        cx.note("replayed", true);
        return Ok(Reply::Replayed(kept.rendered));
    }
    let output = command.run(permit, tx, cx)?;
    let answer = Answer { output, outcome: cx.notes.outcome };
    let rendered = (idempotency.render)(&answer);
    let kept = Kept { outcome: answer.outcome, resource_id: cx.notes.resource_id.clone(), rendered }.to_bytes();
    let sealed = cx.tenant_keys(scope)?.seal_item(KEPT_PURPOSE, &item_id, &kept, &*cx.vault.entropy)?;
    let reply = idempotency::KeptReply { body_hash: unsealed.idempotency_key.tag(&body).to_vec(), reply: sealed };
    idempotency::keep(tx, &request_key, scope.tenant().as_str(), &reply, cx.now)?;
    Ok(Reply::Fresh(answer))
}

/// What stands in the database for a body: under a key, so that a copy of the database can't be asked "was it this one?"; together with
/// the request, so that it does not tell which requests had the same body.
fn body_of(request_key: &[u8; 32], body_hash: &[u8; 32]) -> [u8; 64] {
    let mut bytes = [0; 64];
    let (request, body) = bytes.split_at_mut(32);
    request.copy_from_slice(request_key);
    body.copy_from_slice(body_hash);
    bytes
}

/// Roles are an operation's own matter, so a replay asks it: it runs once more and is undone, and only a refusal counts. Anything
/// else that it may say (the name is taken by now: by the first time) is what the kept answer is for.
fn still_allowed<C: Command>(tx: &mut WriteTx<'_>, cx: &mut Context<'_>, command: &C, permit: &Permit) -> Result<()> {
    cx.making.rehearse(true);
    let tried = tx.attempt(|tx| Err::<(), _>(command.run(permit, tx, cx).err()))?;
    cx.making.rehearse(false);
    cx.notes = Notes::default();
    match tried {
        Err(Some(refusal)) if refusal.code().status() == 403 => Err(refusal),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What a key is kept under: all that it is bound to.
pub(crate) fn request_key<T>(caller: &Caller, kept: &Idempotency<T>) -> [u8; 32] {
    let parts = [caller.standing.tenant.as_str(), &caller.identity().internal_id, &kept.method, &kept.url, &kept.key];
    // Lengths in front of the parts, so that no two requests share an encoding.
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256(&bytes)
}
