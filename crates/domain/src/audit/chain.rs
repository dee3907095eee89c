//! Checks a stream entry by entry, without a database.

use std::collections::BTreeMap;

use scaivault_crypto::digest;

use super::GENESIS_HASH;

/// Why a stream is not whole (contract 06, section 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChainFault {
    /// A checkpoint whose signature does not verify. Reported by whoever checks signatures; the
    /// verifier here never does.
    BadSignature,
    /// An entry is missing, doubled or out of order.
    Gap,
    /// An entry is not the one its hash, its successor or a checkpoint was made for.
    HashMismatch,
    /// A checkpoint lies beyond the last entry.
    Truncated,
}

impl ChainFault {
    /// The `reason` of the verify answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::Gap => "gap",
            Self::HashMismatch => "hash_mismatch",
            Self::Truncated => "truncated",
        }
    }
}

/// What the verifier needs of one stored entry.
#[derive(Clone, Copy, Debug)]
pub struct ChainLink<'a> {
    /// `seq` of the entry's own content.
    pub seq: i64,
    /// `prev_hash` of the entry's own content, hexadecimal.
    pub prev_hash: &'a str,
    /// The hash stored beside the entry, hexadecimal.
    pub stored_hash: &'a str,
    /// The hash of the entry's content as it is now.
    pub recomputed_hash: [u8; digest::SHA256_LEN],
}

/// What a walk over a stream found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChainReport {
    /// Number of entries fed, the invalid ones included.
    pub entries: u64,
    /// Number of checkpoints that fit the entry they name.
    pub checkpoints_verified: u64,
    /// `seq` and hash of the last good entry: where the next walk may start.
    pub last: Option<(i64, String)>,
    /// The first thing wrong; `None` if the stream is whole.
    pub fault: Option<(i64, ChainFault)>,
}

/// Walks a chain forwards and remembers the first fault.
///
/// Feed it checkpoints whose signatures verified, then the entries in `seq` order. It ends at the
/// first fault: what follows a broken link says nothing.
#[derive(Debug)]
pub struct ChainVerifier {
    next_seq: i64,
    expected_prev: Option<String>,
    checkpoints: BTreeMap<i64, String>,
    report: ChainReport,
}

impl ChainVerifier {
    /// Starts at the first entry of a stream.
    pub fn from_start() -> Self {
        Self::after(0, Some(GENESIS_HASH))
    }

    /// Starts behind entry `seq`: that of a retention anchor, or the one before the asked range.
    ///
    /// `hash` is that entry's hash; `None` if it is not known, then the first entry's `prev_hash` is
    /// taken on trust.
    pub fn after(seq: i64, hash: Option<&str>) -> Self {
        Self {
            next_seq: seq.saturating_add(1),
            expected_prev: hash.map(str::to_owned),
            checkpoints: BTreeMap::new(),
            report: ChainReport { entries: 0, checkpoints_verified: 0, last: None, fault: None },
        }
    }

    /// Adds a checkpoint whose signature verified. Only those of the range that will be fed, or one
    /// beyond its end is reported as [`ChainFault::Truncated`].
    ///
    /// Two for the same entry with different hashes cannot both be right: that is a fault.
    pub fn checkpoint(&mut self, seq: i64, hash: &str) {
        let earlier = self.checkpoints.insert(seq, hash.to_owned());
        if earlier.is_some_and(|earlier| earlier != hash) {
            self.fail(seq, ChainFault::HashMismatch);
        }
    }

    /// Checks the next entry.
    pub fn feed(&mut self, link: &ChainLink<'_>) {
        self.report.entries += 1;
        if self.report.fault.is_some() {
            return;
        }
        if link.seq != self.next_seq {
            return self.fail(self.next_seq, ChainFault::Gap);
        }
        let linked = self.expected_prev.as_deref().is_none_or(|prev| prev == link.prev_hash);
        let unaltered = digest::sha256_from_hex(link.stored_hash) == Some(link.recomputed_hash);
        let witness = self.checkpoints.get(&link.seq);
        if !linked || !unaltered || witness.is_some_and(|hash| hash != link.stored_hash) {
            return self.fail(link.seq, ChainFault::HashMismatch);
        }
        self.report.checkpoints_verified += u64::from(witness.is_some());
        self.report.last = Some((link.seq, link.stored_hash.to_owned()));
        self.expected_prev = Some(link.stored_hash.to_owned());
        self.next_seq = self.next_seq.saturating_add(1);
    }

    /// Whether a fault was found, so that feeding more is of no use.
    pub fn has_failed(&self) -> bool {
        self.report.fault.is_some()
    }

    /// Ends the walk. Missing entries at the end show only through a checkpoint for one of them.
    pub fn finish(mut self) -> ChainReport {
        let beyond = self.checkpoints.range(self.next_seq..).next().is_some();
        if beyond && self.report.fault.is_none() {
            self.fail(self.next_seq, ChainFault::Truncated);
        }
        self.report
    }

    fn fail(&mut self, seq: i64, fault: ChainFault) {
        self.report.fault = Some((seq, fault));
    }
}

#[cfg(test)]
mod tests;
