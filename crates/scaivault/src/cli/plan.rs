//! A command as data: the request, what is asked before it, how its answer looks. Most commands are nothing else.

use zeroize::Zeroizing;

use super::client::{Answer, Request};
use super::show::{Show, Table};
use crate::failure::Failure;

pub(crate) struct Plan {
    pub(crate) request: Request,
    pub(crate) question: Option<String>,
    pub(crate) show: Show,
}

/// A command that is one request.
pub(crate) trait Planned {
    fn plan(self) -> Result<Plan, Failure>;
}

impl Request {
    /// Shows the list `items` of the answer, see [`Table::new`].
    pub(crate) fn table(self, items: &'static str, columns: &'static [&'static str]) -> Plan {
        self.shown(Show::Table(Table::new(items, columns)))
    }

    pub(crate) fn details(self) -> Plan {
        self.shown(Show::Details)
    }

    /// Shows the list `items` below the other fields.
    pub(crate) fn report(self, items: &'static str, columns: &'static [&'static str]) -> Plan {
        self.shown(Show::Report(Table::new(items, columns)))
    }

    pub(crate) fn said(self, sentence: impl Into<String>) -> Plan {
        self.shown(Show::Said(sentence.into()))
    }

    pub(crate) fn custom(self, text: fn(&Answer) -> Result<Zeroizing<String>, Failure>) -> Plan {
        self.shown(Show::Custom(text))
    }

    fn shown(self, show: Show) -> Plan {
        Plan { request: self, question: None, show }
    }
}

impl Plan {
    /// Asks first, at a terminal and without `--yes`.
    pub(crate) fn confirm(mut self, question: impl Into<String>) -> Self {
        self.question = Some(question.into());
        self
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.show, Show::Table(_) | Show::Report(_))
    }
}
