//! Proves a chain whole, entry by entry, in bounded memory (contract 06 section 4): for a request, and for `scaivault check`.

use scaivault_domain::audit::{ChainFault, ChainLink, ChainVerifier};
use scaivault_store::audit::{self, Chain};
use scaivault_store::checkpoint::{self, CheckpointRecord};
use scaivault_store::{Snapshots, StoreResult};

use super::signing::TrustedKeys;
use super::verify::{Fault, VerifyReport};
use crate::keyring::Unsealed;

/// Entries looked at in one snapshot: bounds the memory, and how long a read connection is taken from others. Small in the
/// tests of this crate, so that their chains span several.
const BATCH: i64 = if cfg!(test) { 4 } else { 2000 };
/// How often a walk begins anew because retention cut underneath it.
const ATTEMPTS: usize = 3;

pub(super) struct Walk<'a, S> {
    pub(super) source: &'a mut S,
    /// Without it signatures are not checked.
    pub(super) unsealed: Option<&'a Unsealed>,
    /// The highest number that is known to have been durable.
    pub(super) known: &'a dyn Fn() -> i64,
    pub(super) chain: &'a Chain,
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
}

/// Where a walk begins and ends, and what it trusts.
struct Frame {
    keys: TrustedKeys,
    anchor: Option<CheckpointRecord>,
    /// The newest entry, or the last that retention removed.
    last: i64,
    start: i64,
    end: i64,
    /// Hash of the entry before `start`, if it is known.
    before: Option<String>,
}

struct Link {
    seq: i64,
    prev_hash: String,
    stored_hash: String,
    recomputed_hash: [u8; 32],
}

impl<S: Snapshots> Walk<'_, S> {
    /// Answers the first thing that is wrong; tells `progress` the entry it has come to and the last one, a batch each.
    pub(super) fn verify(&mut self, progress: &mut dyn FnMut(i64, i64)) -> StoreResult<VerifyReport> {
        let mut attempt = 1;
        loop {
            let (report, anchor_seq) = self.once(progress)?;
            // The walk takes many snapshots; a cut between two of them looks like a gap.
            let chain = self.chain;
            let moved = report.fault.is_some() && {
                let anchor = self.source.read(|view| checkpoint::anchor(view, chain))?;
                anchor.map(|anchor| anchor.seq) != anchor_seq
            };
            if !moved || attempt == ATTEMPTS {
                return Ok(report);
            }
            attempt += 1;
        }
    }

    fn once(&mut self, progress: &mut dyn FnMut(i64, i64)) -> StoreResult<(VerifyReport, Option<i64>)> {
        // Asked before the snapshot: whatever was durable by now must be in it.
        let known = (self.known)();
        let frame = self.frame()?;
        let anchor_seq = frame.anchor.as_ref().map(|anchor| anchor.seq);
        let mut report = VerifyReport {
            stream: self.chain.stream.clone(),
            from_seq: frame.start,
            to_seq: frame.end,
            entries: 0,
            checkpoints_verified: 0,
            fault: None,
        };
        report.fault = frame
            .anchor
            .as_ref()
            .filter(|anchor| anchor.seq + 1 == frame.start && !frame.keys.vouch_for_anchor(anchor))
            .map(|anchor| fault(self.chain, anchor.seq, ChainFault::BadSignature));
        let (mut next, mut before) = (frame.start, frame.before.clone());
        while report.fault.is_none() && next <= frame.end {
            let (links, checkpoints) = self.batch(next, frame.end)?;
            let Some(last) = links.last().map(|link| link.seq) else {
                report.fault = Some(fault(self.chain, next, ChainFault::Gap));
                break;
            };
            check(&mut report, self.chain, &frame.keys, next, before.as_deref(), &links, checkpoints);
            before = links.last().map(|link| link.stored_hash.clone());
            next = last.saturating_add(1);
            progress(last, frame.end);
        }
        if report.fault.is_none() {
            let found = self.truncation(&frame, known)?;
            report.fault = found.map(|(seq, kind)| fault(self.chain, seq, kind));
        }
        Ok((report, anchor_seq))
    }

    fn frame(&mut self) -> StoreResult<Frame> {
        let (chain, unsealed, from, to) = (self.chain, self.unsealed, self.from, self.to);
        self.source.read(|view| {
            let keys = TrustedKeys::load(view, unsealed)?;
            let anchor = checkpoint::anchor(view, chain)?;
            let cut = anchor.as_ref().map_or(0, |anchor| anchor.seq);
            let last = audit::last_seq(view, chain)?.max(cut);
            let start = from.unwrap_or(1).max(cut + 1);
            let before = match (&anchor, start) {
                (Some(anchor), _) if anchor.seq + 1 == start => Some(anchor.hash),
                (_, 1) => Some([0; 32]),
                // Not there: then the range is taken on trust, as its caller left out what is before.
                _ => audit::hash_at(view, chain, start - 1)?,
            };
            let end = to.unwrap_or(last).min(last);
            Ok(Frame { keys, anchor, last, start, end, before: before.map(hex::encode) })
        })
    }

    /// The next entries, reduced to what the chain needs, and the checkpoints among them.
    fn batch(&mut self, from: i64, to: i64) -> StoreResult<(Vec<Link>, Vec<CheckpointRecord>)> {
        let chain = self.chain;
        self.source.read(|view| {
            let mut links = Vec::new();
            audit::walk(view, chain, from, to, BATCH, |seq, stored| {
                let link = stored.ok().and_then(|stored| {
                    Some(Link {
                        seq,
                        recomputed_hash: stored.entry.hash().ok()?,
                        prev_hash: stored.entry.prev_hash,
                        stored_hash: hex::encode(stored.hash),
                    })
                });
                // An entry that can't be read is not the one that was written: a hash that nothing has says so.
                links.push(link.unwrap_or_else(|| Link {
                    seq,
                    prev_hash: String::new(),
                    stored_hash: String::new(),
                    recomputed_hash: [0; 32],
                }));
                Ok(true)
            })?;
            let last = links.last().map_or(from, |link| link.seq);
            let checkpoints = checkpoint::between(view, chain, from, last)?;
            Ok((links, checkpoints))
        })
    }

    /// Whether something says that there was more than there is: a checkpoint, or this process's own memory.
    fn truncation(&mut self, frame: &Frame, known: i64) -> StoreResult<Option<(i64, ChainFault)>> {
        let wanted = self.to.unwrap_or(i64::MAX);
        let beyond = frame.last.saturating_add(1).max(frame.start);
        if wanted < beyond {
            return Ok(None);
        }
        let chain = self.chain;
        let newest = self.source.read(|view| {
            let above = checkpoint::list(view, chain, wanted.checked_add(1), 1)?;
            // Entries written since the frame was read may be signed by now; they are there.
            let last = audit::last_seq(view, chain)?;
            StoreResult::Ok(above.into_iter().next().filter(|newest| newest.seq > last.max(frame.last)))
        })?;
        Ok(match newest {
            Some(newest) if !frame.keys.vouch_for(&newest) => Some((newest.seq, ChainFault::BadSignature)),
            Some(_) => Some((beyond, ChainFault::Truncated)),
            None if self.to.is_none() && known > frame.last => Some((beyond, ChainFault::Truncated)),
            None => None,
        })
    }
}

/// Feeds one batch. A fault of a signature counts where it comes first: what it covers can't be trusted further on.
fn check(
    report: &mut VerifyReport,
    chain: &Chain,
    keys: &TrustedKeys,
    next: i64,
    before: Option<&str>,
    links: &[Link],
    checkpoints: Vec<CheckpointRecord>,
) {
    let mut verifier = ChainVerifier::after(next - 1, before);
    let mut bad_signature = None;
    for record in checkpoints {
        if keys.vouch_for(&record) {
            verifier.checkpoint(record.seq, &hex::encode(record.hash));
        } else if bad_signature.is_none() {
            bad_signature = Some((record.seq, ChainFault::BadSignature));
        }
    }
    for link in links {
        verifier.feed(&ChainLink {
            seq: link.seq,
            prev_hash: &link.prev_hash,
            stored_hash: &link.stored_hash,
            recomputed_hash: link.recomputed_hash,
        });
    }
    let found = verifier.finish();
    report.entries = report.entries.saturating_add(found.entries);
    report.checkpoints_verified = report.checkpoints_verified.saturating_add(found.checkpoints_verified);
    let first = match (found.fault, bad_signature) {
        (Some(link), Some(signature)) => Some(if signature.0 < link.0 { signature } else { link }),
        (link, signature) => link.or(signature),
    };
    report.fault = first.map(|(seq, kind)| fault(chain, seq, kind));
}

fn fault(chain: &Chain, seq: i64, fault: ChainFault) -> Fault {
    Fault { chain: chain.name(), seq, fault }
}
