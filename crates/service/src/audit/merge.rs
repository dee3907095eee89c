//! Walks over the chains of a stream as if they were one, newest first.

use std::collections::VecDeque;

use scaivault_store::audit::{self, Chain};
use scaivault_store::{Database, StoreResult};

use crate::error::{Error, Result};

/// Where a walk stands in each chain: numbers, so that what is written meanwhile never disturbs it. A chain that begins during the walk
/// is not in it.
pub(super) struct Positions(Vec<(Chain, Option<i64>)>);

impl Positions {
    /// `after`: pairs of node and number, as [`Positions::page`] answered them; `None` at the beginning.
    pub(super) fn of(db: &mut impl Database, stream: &str, after: Option<&[String]>) -> Result<Self> {
        let Some(after) = after else {
            return Ok(Self(audit::chains_of(db, stream)?.into_iter().map(|chain| (chain, None)).collect()));
        };
        let parse = |node: &str, seq: &str| {
            let seq = seq.parse().map_err(|_| Error::internal("a genuine cursor with a bad number"))?;
            Ok((Chain { stream: stream.to_owned(), node: node.to_owned() }, Some(seq)))
        };
        // A lone number is how a walk over one chain was told before there were several.
        if let [seq] = after {
            return Ok(Self(vec![parse("", seq)?]));
        }
        let pair = |pair: &[String]| match pair {
            [node, seq] => parse(node, seq),
            _ => Err(Error::internal("a genuine cursor with an unknown position")),
        };
        after.chunks(2).map(pair).collect::<Result<_>>().map(Self)
    }

    /// One page, and where the next one begins if there is more. `fetch` answers the newest of a chain below a number; `place` the
    /// time, by which chains are merged, and the number of an item. Within a chain the order stays that of the numbers.
    pub(super) fn page<T>(
        self,
        limit: usize,
        mut fetch: impl FnMut(&Chain, Option<i64>, i64) -> StoreResult<Vec<T>>,
        place: impl Fn(&T) -> (i64, i64),
    ) -> Result<(Vec<T>, Option<Vec<String>>)> {
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let mut chains = Vec::with_capacity(self.0.len());
        for (chain, before) in self.0 {
            let found = VecDeque::from(fetch(&chain, before, one_more)?);
            if !found.is_empty() {
                chains.push((chain, found));
            }
        }
        let mut page = Vec::new();
        while page.len() < limit {
            let newest = chains.iter_mut().filter(|(_, found)| !found.is_empty());
            let newest = newest.max_by_key(|(_, found)| found.front().map(&place));
            let Some(item) = newest.and_then(|(_, found)| found.pop_front()) else { break };
            page.push(item);
        }
        // What comes next in each chain is below one more than its number.
        let rest = chains.iter().filter_map(|(chain, found)| {
            let (_, seq) = place(found.front()?);
            Some([chain.node.clone(), seq.saturating_add(1).to_string()])
        });
        let rest: Vec<String> = rest.flatten().collect();
        Ok((page, Some(rest).filter(|rest| !rest.is_empty())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(chains: &[(&str, Option<i64>)]) -> Positions {
        let chain = |node: &str| Chain { stream: "tnt_a".to_owned(), node: node.to_owned() };
        Positions(chains.iter().map(|(node, before)| (chain(node), *before)).collect())
    }

    /// Chain a: one entry a second; chain b: one every three.
    fn fetch(chain: &Chain, before: Option<i64>, limit: i64) -> StoreResult<Vec<(i64, i64, String)>> {
        let (last, step) = if chain.node == "a" { (9, 1) } else { (3, 3) };
        let top = before.map_or(last, |before| before - 1);
        let seqs = (1..=top).rev().take(usize::try_from(limit).unwrap());
        Ok(seqs.map(|seq| (seq * step, seq, chain.node.clone())).collect())
    }

    #[test]
    fn pages_of_any_size_make_one_walk_in_the_order_of_time() {
        for limit in 1..15 {
            let mut positions = position(&[("a", None), ("b", None)]);
            let mut walked = Vec::new();
            loop {
                let (page, next) = positions.page(limit, fetch, |item| (item.0, item.1)).unwrap();
                assert!(page.len() <= limit);
                walked.extend(page);
                let Some(next) = next else { break };
                let pairs: Vec<(&str, Option<i64>)> =
                    next.chunks(2).map(|pair| (pair[0].as_str(), Some(pair[1].parse().unwrap()))).collect();
                positions = position(&pairs);
            }
            assert_eq!(walked.len(), 12, "limit {limit}");
            assert!(walked.is_sorted_by(|a, b| a.0 >= b.0));
        }
    }
}
