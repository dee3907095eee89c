//! One page of a list that goes on by keyset (contract 00 section 6).

use crate::error::{Error, Result};

/// Items, and where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The position of the last item, for a cursor; `None` at the end.
    pub next: Option<Vec<String>>,
}

impl<T> Page<T> {
    /// Cuts what was found to `limit`; one item more than that says that the list goes on.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, position: impl FnOnce(&T) -> Vec<String>) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(position);
        Self { items, next }
    }
}

/// How many rows to ask for: one more than the page holds.
pub(crate) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// The one key behind which a list goes on.
pub(crate) fn single_after(position: Option<&[String]>) -> Result<Option<&str>> {
    match position {
        None => Ok(None),
        Some([key]) => Ok(Some(key.as_str())),
        Some(_) => Err(Error::internal("a genuine cursor with an unknown position")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_while_there_is_more() {
        let page = |found: Vec<u8>| Page::cut(found, 2, |last| vec![last.to_string()]);
        assert_eq!(page(vec![1, 2, 3]), Page { items: vec![1, 2], next: Some(vec!["2".to_owned()]) });
        assert_eq!(page(vec![1, 2]), Page { items: vec![1, 2], next: None });
        assert_eq!(page(vec![]), Page { items: vec![], next: None });
        assert_eq!(one_more(200), 201);
    }
}
