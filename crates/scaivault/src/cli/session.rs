//! One command's way: settings, client, and how it prints.

use super::client::{Answer, Client, Request};
use super::plan::Plan;
use super::settings::{Settings, Shared};
use super::show::Show;
use super::show::json::Object;
use super::{ask, unwritten};
use crate::failure::Failure;
use crate::output;

pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    /// `--json`
    pub(crate) json: bool,
    yes: bool,
}

impl Session {
    pub(crate) fn start(shared: &Shared) -> Result<Self, Failure> {
        let settings = Settings::load(shared)?;
        Ok(Self { client: Client::new(&settings)?, settings, json: shared.json, yes: shared.yes })
    }

    /// Asks, sends, shows; for lists page by page.
    pub(crate) async fn perform(&self, plan: Plan) -> Result<(), Failure> {
        let is_list = plan.is_list();
        let Plan { mut request, question, mut show } = plan;
        if let Some(question) = question {
            self.confirm(&question)?;
        }
        let mut is_first = true;
        loop {
            let answer = self.client.send(&request).await?;
            if self.json {
                self.print_json(&answer, request.wants_every_page())?;
            } else {
                let text = show.text(&answer)?;
                if is_list && is_first && text.is_empty() {
                    output::notice("nothing found");
                }
                self.print(text.as_bytes())?;
            }
            is_first = false;
            match if is_list { next_page(&answer) } else { None } {
                Some(cursor) if request.wants_every_page() => request.turn_to(cursor),
                Some(_) if !self.json => {
                    output::notice("there is more: --all shows everything, --limit changes the size of a page");
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    /// All pages of a list, for commands that make something of them.
    pub(crate) async fn pages(&self, mut request: Request) -> Result<Vec<Answer>, Failure> {
        let mut pages = Vec::new();
        loop {
            let answer = self.client.send(&request).await?;
            let next = next_page(&answer);
            pages.push(answer);
            match next {
                Some(cursor) => request.turn_to(cursor),
                None => return Ok(pages),
            }
        }
    }

    /// For commands that send by themselves.
    pub(crate) fn show(&self, answer: &Answer, show: &mut Show) -> Result<(), Failure> {
        if self.json { self.print_json(answer, false) } else { self.print(show.text(answer)?.as_bytes()) }
    }

    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes { Ok(()) } else { ask::confirm(question) }
    }

    pub(crate) fn print(&self, text: &[u8]) -> Result<(), Failure> {
        output::bytes(text).map_err(unwritten)
    }

    /// The answer's own bytes. Several answers stand on a line each.
    pub(crate) fn print_json(&self, answer: &Answer, is_one_of_many: bool) -> Result<(), Failure> {
        if answer.is_empty() {
            return Ok(());
        }
        self.print(answer.bytes())?;
        self.print(if is_one_of_many { b"\n" } else { output::line_end() })
    }
}

/// The cursor of the next page, if there is one.
pub(crate) fn next_page(answer: &Answer) -> Option<String> {
    let answer: Object<'_> = answer.read().ok()?;
    if answer.is_true("has_more") { answer.string("cursor") } else { None }
}
