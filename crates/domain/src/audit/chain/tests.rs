use super::*;

/// A stored entry, reduced to what the chain is made of: content and the hash beside it.
#[derive(Clone)]
struct Row {
    seq: i64,
    text: &'static str,
    prev_hash: String,
    stored_hash: String,
}

impl Row {
    fn content_hash(&self) -> [u8; 32] {
        digest::sha256(format!("{}|{}|{}", self.seq, self.text, self.prev_hash).as_bytes())
    }
}

fn chain(len: i64) -> Vec<Row> {
    let mut prev_hash = GENESIS_HASH.to_owned();
    (1..=len)
        .map(|seq| {
            let mut row = Row { seq, text: "a", prev_hash: prev_hash.clone(), stored_hash: String::new() };
            row.stored_hash = digest::hex(&row.content_hash());
            prev_hash.clone_from(&row.stored_hash);
            row
        })
        .collect()
}

/// Makes everything after `from` fit again, as an attacker with the whole database could.
fn rehash(rows: &mut [Row], from: usize) {
    for i in from..rows.len() {
        if i > 0 {
            rows[i].prev_hash = rows[i - 1].stored_hash.clone();
        }
        rows[i].stored_hash = digest::hex(&rows[i].content_hash());
    }
}

fn walk(mut verifier: ChainVerifier, rows: &[Row]) -> ChainReport {
    for row in rows {
        verifier.feed(&ChainLink {
            seq: row.seq,
            prev_hash: &row.prev_hash,
            stored_hash: &row.stored_hash,
            recomputed_hash: row.content_hash(),
        });
    }
    verifier.finish()
}

fn fault(rows: &[Row]) -> Option<(i64, ChainFault)> {
    walk(ChainVerifier::from_start(), rows).fault
}

fn fault_with_checkpoint(rows: &[Row], seq: i64, hash: &str) -> Option<(i64, ChainFault)> {
    let mut verifier = ChainVerifier::from_start();
    verifier.checkpoint(seq, hash);
    walk(verifier, rows).fault
}

#[test]
fn a_whole_chain_is_valid() {
    let rows = chain(20);
    let mut verifier = ChainVerifier::from_start();
    verifier.checkpoint(10, &rows[9].stored_hash);
    verifier.checkpoint(20, &rows[19].stored_hash);
    let report = walk(verifier, &rows);
    assert_eq!((report.entries, report.checkpoints_verified, report.fault), (20, 2, None));
    assert_eq!(report.last, Some((20, rows[19].stored_hash.clone())));
    assert_eq!(fault(&[]), None, "an empty stream is whole");
}

#[test]
fn a_changed_entry_is_found() {
    for at in 0..20 {
        let mut rows = chain(20);
        rows[at].text = "b";
        let seq = rows[at].seq;
        assert_eq!(fault(&rows), Some((seq, ChainFault::HashMismatch)));

        // With its own hash repaired, its successor gives it away; the last has none.
        rows[at].stored_hash = digest::hex(&rows[at].content_hash());
        let expected = (at < 19).then_some((seq + 1, ChainFault::HashMismatch));
        assert_eq!(fault(&rows), expected);
    }
}

#[test]
fn a_changed_hash_is_found() {
    let mut rows = chain(5);
    for bad in [rows[2].stored_hash.to_uppercase(), String::new(), "zz".repeat(32)] {
        rows[2].stored_hash = bad;
        assert_eq!(fault(&rows), Some((3, ChainFault::HashMismatch)));
    }
}

#[test]
fn a_missing_entry_is_a_gap() {
    for at in 0..19 {
        let mut rows = chain(20);
        let removed = rows.remove(at);
        assert_eq!(fault(&rows), Some((removed.seq, ChainFault::Gap)));
    }
}

#[test]
fn doubled_and_swapped_entries_are_gaps() {
    let mut rows = chain(5);
    rows.insert(2, rows[1].clone());
    assert_eq!(fault(&rows), Some((3, ChainFault::Gap)));

    let mut rows = chain(5);
    rows.swap(1, 2);
    assert_eq!(fault(&rows), Some((2, ChainFault::Gap)));
}

#[test]
fn swapped_contents_are_a_mismatch() {
    // The entries change places and numbers; all else stays with them.
    let mut rows = chain(5);
    rows.swap(1, 2);
    (rows[1].seq, rows[2].seq) = (2, 3);
    assert_eq!(fault(&rows), Some((2, ChainFault::HashMismatch)));
}

#[test]
fn a_missing_end_shows_by_a_checkpoint_only() {
    let rows = chain(20);
    assert_eq!(fault(&rows[..10]), None);
    let last = &rows[19].stored_hash;
    let truncated = fault_with_checkpoint(&rows[..10], 20, last);
    assert_eq!(truncated, Some((11, ChainFault::Truncated)));
    assert_eq!(fault_with_checkpoint(&[], 20, last), Some((1, ChainFault::Truncated)));
}

#[test]
fn a_rewritten_chain_shows_by_a_checkpoint_only() {
    let mut rows = chain(20);
    let witnessed = rows[14].stored_hash.clone();
    rows[4].text = "b";
    rehash(&mut rows, 4);
    assert_eq!(fault(&rows), None);
    let found = fault_with_checkpoint(&rows, 15, &witnessed);
    assert_eq!(found, Some((15, ChainFault::HashMismatch)));
}

#[test]
fn two_checkpoints_that_disagree_are_a_fault() {
    let rows = chain(3);
    let mut verifier = ChainVerifier::from_start();
    verifier.checkpoint(2, &rows[1].stored_hash);
    verifier.checkpoint(2, &rows[1].stored_hash);
    assert!(!verifier.has_failed());
    verifier.checkpoint(2, &rows[0].stored_hash);
    assert!(verifier.has_failed());
    assert_eq!(walk(verifier, &rows).fault, Some((2, ChainFault::HashMismatch)));
}

#[test]
fn a_walk_may_start_in_the_middle() {
    let rows = chain(20);
    let anchor = rows[9].stored_hash.as_str();
    assert_eq!(walk(ChainVerifier::after(10, Some(anchor)), &rows[10..]).fault, None);
    assert_eq!(walk(ChainVerifier::after(10, None), &rows[10..]).fault, None);

    let wrong = rows[8].stored_hash.as_str();
    let report = walk(ChainVerifier::after(10, Some(wrong)), &rows[10..]);
    assert_eq!(report.fault, Some((11, ChainFault::HashMismatch)));
    let report = walk(ChainVerifier::after(10, Some(anchor)), &rows[11..]);
    assert_eq!(report.fault, Some((11, ChainFault::Gap)));
}

#[test]
fn the_first_fault_stands_and_all_entries_count() {
    let mut rows = chain(20);
    rows[4].text = "b";
    rows[9].text = "b";
    let report = walk(ChainVerifier::from_start(), &rows);
    assert_eq!(report.fault, Some((5, ChainFault::HashMismatch)));
    assert_eq!(report.entries, 20);
    assert_eq!(report.last.map(|(seq, _)| seq), Some(4));
}

#[test]
fn reasons_are_those_of_the_contract() {
    let names = [ChainFault::BadSignature, ChainFault::Gap, ChainFault::HashMismatch, ChainFault::Truncated]
        .map(ChainFault::as_str);
    assert_eq!(names, ["bad_signature", "gap", "hash_mismatch", "truncated"]);
}
