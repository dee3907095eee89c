//! Arguments that many commands have.

use std::fmt;
use std::str::FromStr;

use clap::Args;

/// Names one thing in an address: an id, or an identity such as `sa:crm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id(String);

impl Id {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("an id is not empty"),
            // An address that is resolved on its way would lose them, and what stands before them.
            "." | ".." => Err("dots alone are no id"),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Page {
    /// Items a page
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// Where the last page ended, from its `cursor`
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    /// All pages, one after another
    #[arg(long)]
    pub(crate) all: bool,
}
