//! `secrets list` and `secrets expiring`

use clap::Args;

use super::{OWN, Space};
use crate::cli::client::{Page, get};
use crate::cli::plan::Plan;
use crate::cli::session::Session;
use crate::cli::show::json::{Object, list};
use crate::cli::show::tree::Tree;
use crate::failure::Failure;
use crate::output;

/// List secrets, never their values
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what you may list. With --json and --all every page is one line.

Examples:
  scaivault secrets list --prefix app/
  scaivault secrets list --tag postgres --tag prod --all
  scaivault secrets list --tree
  scaivault secrets list --query salesforce")]
pub(crate) struct List {
    /// Only paths that begin so
    #[arg(long)]
    prefix: Option<String>,
    /// Only those with this tag; repeat it for several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only those with this in path, description, tags or owner
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,
    #[arg(long)]
    owner: Option<String>,
    /// Only those of one type
    #[arg(long = "type", value_name = "TYPE")]
    secret_type: Option<String>,
    /// Also expired ones
    #[arg(long)]
    include_expired: bool,
    /// Also those in the trash
    #[arg(long)]
    include_deleted: bool,
    /// path or updated_at
    #[arg(long, value_name = "ORDER")]
    sort: Option<String>,
    /// All of them, as a tree of folders
    #[arg(long, conflicts_with_all = ["json", "cursor", "sort"])]
    tree: bool,
    #[command(flatten)]
    page: Page,
}

impl List {
    pub(crate) async fn run(self, space: Space, session: &Session) -> Result<(), Failure> {
        let request = get(space.address())
            .query("prefix", self.prefix)
            .queries("tag", &self.tags)
            .query("q", self.query)
            .query("owner", self.owner)
            .query("secret_type", self.secret_type)
            .flag("include_expired", self.include_expired)
            .flag("include_deleted", self.include_deleted)
            .query("sort", self.sort)
            .page(&self.page);
        if !self.tree {
            let columns = &["path", "type=secret_type", "version", "updated_at", "expires_at", "tags"];
            return session.perform(request.table("secrets", columns)).await;
        }
        let mut tree = Tree::default();
        for page in session.pages(request).await? {
            let page: Object<'_> = page.read()?;
            for item in page.get("secrets").and_then(list).unwrap_or_default() {
                let item = crate::cli::show::json::object(item);
                item.and_then(|item| item.string("path")).into_iter().for_each(|path| tree.insert(&path));
            }
        }
        let text = tree.text();
        if text.is_empty() {
            output::notice("nothing found");
        }
        session.print(text.as_bytes())
    }
}

/// List what expires soon
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  scaivault secrets expiring --days 7 --prefix app/")]
pub(crate) struct Expiring {
    /// Within so many days (30)
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// Only paths that begin so
    #[arg(long)]
    prefix: Option<String>,
    /// Also what has expired already
    #[arg(long)]
    include_expired: bool,
    #[command(flatten)]
    page: Page,
}

impl Expiring {
    pub(super) fn plan(self) -> Plan {
        get(OWN.address())
            .then("expiring")
            .query("days", self.days)
            .query("prefix", self.prefix)
            .flag("include_expired", self.include_expired)
            .page(&self.page)
            .table("secrets", &["path", "expires_at", "days_remaining"])
    }
}
