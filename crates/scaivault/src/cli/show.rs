//! How an answer looks to a person. Programs take `--json`, which is the answer itself.

mod details;
pub(crate) mod json;
mod table;
pub(crate) mod text;
pub(crate) mod tree;

use zeroize::Zeroizing;

pub(crate) use details::{Lines, details};
pub(crate) use table::Table;

use super::client::Answer;
use crate::failure::Failure;

/// What a command makes of its answer.
pub(crate) enum Show {
    /// One line an item.
    Table(Table),
    /// One line a field.
    Details,
    /// The fields beside the items, then the items.
    Report(Table),
    /// A sentence; the answer has nothing to add.
    Said(String),
    /// Something of the command's own.
    Custom(fn(&Answer) -> Result<Zeroizing<String>, Failure>),
}

impl Show {
    /// The text for one answer, or for the next page of a list.
    pub(crate) fn text(&mut self, answer: &Answer) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Table(table) => table.page(answer),
            Self::Details => Ok(details(&answer.read()?, &[])),
            Self::Report(table) => {
                let mut text = details(&answer.read()?, &[table.items(), "cursor", "has_more"]);
                let items = table.page(answer)?;
                if !items.is_empty() {
                    text.push('\n');
                    text.push_str(&items);
                }
                Ok(text)
            }
            Self::Said(sentence) => Ok(Zeroizing::new(format!("{sentence}\n"))),
            Self::Custom(text) => text(answer),
        }
    }
}
