//! Lists: what there is, as far as the caller may see it (contract 01 sections 8 and 9).

use scaivault_domain::access::{Permit, SecretScope, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::glob::{common_ranges, covering_prefixes};
use scaivault_domain::path::PathPrefix;
use scaivault_domain::policy::Visibility;
use scaivault_domain::time::Timestamp;
use scaivault_store::ReadView;
use scaivault_store::secret::SecretRecord;
use scaivault_store::secret_list::{self, After, Criteria, Order};

use super::metadata::{SecretOverview, overview};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Operation, Query};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Path,
    UpdatedAt,
}

#[derive(Debug, Clone)]
pub struct ListFilter {
    pub prefix: PathPrefix,
    pub criteria: Criteria,
    /// Case-insensitive part of path, description, a tag or the owner.
    pub text: Option<String>,
}

/// `GET /v1/secrets`
pub struct ListSecrets {
    pub space: Space,
    pub filter: ListFilter,
    pub include_metadata: bool,
    /// Fold what lies deeper into folders.
    pub by_folder: bool,
    pub sort: Sort,
    pub limit: usize,
    /// Position of the last item of the page before, as [`ListPage::next`] gave it.
    pub after: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub struct ListPage {
    pub items: Vec<ListItem>,
    /// Only with `by_folder`.
    pub folders: Option<Vec<String>>,
    pub next: Option<Vec<String>>,
    pub total_count: i64,
}

#[derive(Debug, Clone)]
pub struct ListItem {
    pub record: SecretRecord,
    /// With `include_metadata`.
    pub overview: Option<Box<SecretOverview>>,
}

impl Operation for ListSecrets {
    type Output = ListPage;
    const ACTION: Action = Action::SecretList;

    fn target(&self) -> Target {
        Target::Listing {
            space: self.space,
            prefix: Some(self.filter.prefix.as_str().to_owned()).filter(|p| !p.is_empty()),
        }
    }
}

impl Query for ListSecrets {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<ListPage> {
        let sight = Sight::of(permit, &self.filter);
        let total_count = sight.count(view, permit.secrets(), &self.filter, cx.now)?;
        let mut found = match self.sort {
            Sort::Path => self.by_path(view, permit.secrets(), &sight, cx.now)?,
            Sort::UpdatedAt => self.by_time(view, permit.secrets(), &sight, cx.now)?,
        };
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| has_more).map(|entry| self.position(entry));
        let mut page = ListPage { items: Vec::new(), folders: self.by_folder.then(Vec::new), next, total_count };
        for entry in found {
            match entry {
                Entry::Folder(folder) => page.folders.get_or_insert_default().push(folder),
                Entry::Secret(record) => {
                    let overview = match self.include_metadata {
                        true => Some(Box::new(overview(view, (*record).clone(), cx.now)?)),
                        false => None,
                    };
                    page.items.push(ListItem { record: *record, overview });
                }
            }
        }
        cx.note("returned", page.items.len());
        Ok(page)
    }
}

enum Entry {
    Folder(String),
    Secret(Box<SecretRecord>),
}

impl ListSecrets {
    fn position(&self, entry: &Entry) -> Vec<String> {
        match (entry, self.sort) {
            (Entry::Folder(folder), _) => vec!["folder".to_owned(), folder.clone()],
            (Entry::Secret(record), Sort::Path) => vec!["path".to_owned(), record.path.clone()],
            (Entry::Secret(record), Sort::UpdatedAt) => time_position(record.updated_at, &record.path),
        }
    }

    fn by_path(
        &self,
        view: &mut ReadView<'_>,
        scope: &SecretScope,
        sight: &Sight,
        now: Timestamp,
    ) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        let mut after = self.after.as_deref().map(after_of).transpose()?;
        for range in sight.ranges(&self.filter) {
            // A folder ends one scan and begins the next behind itself, so that its size does not matter.
            loop {
                let mut folded = None;
                secret_list::scan(
                    view,
                    scope,
                    &range,
                    &self.filter.criteria,
                    Order::Path,
                    after.as_ref(),
                    now,
                    |record| {
                        if !sight.sees(&record) || !self.filter.matches(&record) {
                            return Ok(true);
                        }
                        if let Some(folder) = self.folder_of(&record.path) {
                            folded = Some(folder.clone());
                            found.push(Entry::Folder(folder));
                            return Ok(false);
                        }
                        found.push(Entry::Secret(Box::new(record)));
                        Ok(found.len() <= self.limit)
                    },
                )?;
                if found.len() > self.limit {
                    return Ok(found);
                }
                match folded {
                    Some(folder) => after = Some(After::Subtree(folder)),
                    None => break,
                }
            }
        }
        Ok(found)
    }

    fn folder_of(&self, path: &str) -> Option<String> {
        if !self.by_folder {
            return None;
        }
        let prefix = self.filter.prefix.as_str();
        let rest = path.strip_prefix(prefix)?;
        rest.split_once('/').map(|(folder, _)| format!("{prefix}{folder}/"))
    }

    fn by_time(
        &self,
        view: &mut ReadView<'_>,
        scope: &SecretScope,
        sight: &Sight,
        now: Timestamp,
    ) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        let after = self.after.as_deref().map(after_of).transpose()?;
        let prefix = self.filter.prefix.as_str();
        secret_list::scan(
            view,
            scope,
            prefix,
            &self.filter.criteria,
            Order::UpdatedAt,
            after.as_ref(),
            now,
            |record| {
                if sight.sees(&record) && self.filter.matches(&record) {
                    found.push(Entry::Secret(Box::new(record)));
                }
                Ok(found.len() <= self.limit)
            },
        )?;
        Ok(found)
    }
}

impl ListFilter {
    fn matches(&self, record: &SecretRecord) -> bool {
        let Some(text) = &self.text else { return true };
        let wanted = text.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&wanted);
        holds(&record.path)
            || record.metadata.description.as_deref().is_some_and(holds)
            || record.metadata.owner.as_deref().is_some_and(holds)
            || record.metadata.tags.iter().any(|tag| holds(tag))
    }
}

/// What the caller may see of the living and of the deleted, and in which ranges of paths that can lie.
struct Sight {
    living: Visibility,
    trash: Visibility,
}

impl Sight {
    fn of(permit: &Permit, filter: &ListFilter) -> Self {
        let trash =
            if filter.criteria.include_deleted { permit.trash_visibility().clone() } else { Visibility::none() };
        Self { living: permit.visibility().clone(), trash }
    }

    fn sees(&self, record: &SecretRecord) -> bool {
        self.sees_path(&record.path, record.trash.is_some())
    }

    fn sees_path(&self, path: &str, deleted: bool) -> bool {
        if deleted { self.trash.sees(path) } else { self.living.sees(path) }
    }

    fn is_unlimited(&self, filter: &ListFilter) -> bool {
        matches!(self.living, Visibility::All)
            && (!filter.criteria.include_deleted || matches!(self.trash, Visibility::All))
    }

    /// Prefixes to scan, in order, none within another: subtrees that no rule opens are never touched.
    fn ranges(&self, filter: &ListFilter) -> Vec<String> {
        let prefix = filter.prefix.as_str();
        let mut globs = Vec::new();
        for visibility in [&self.living, &self.trash] {
            match visibility {
                Visibility::All => return vec![prefix.to_owned()],
                Visibility::Globs(some) => globs.extend(some),
            }
        }
        common_ranges(&[prefix.to_owned()], &covering_prefixes(globs))
    }

    fn count(&self, view: &mut ReadView<'_>, scope: &SecretScope, filter: &ListFilter, now: Timestamp) -> Result<i64> {
        if self.is_unlimited(filter) && filter.text.is_none() {
            return Ok(secret_list::count(view, scope, filter.prefix.as_str(), &filter.criteria, now)?);
        }
        let mut count: i64 = 0;
        for range in self.ranges(filter) {
            if filter.text.is_some() {
                secret_list::scan(view, scope, &range, &filter.criteria, Order::Path, None, now, |record| {
                    count += i64::from(self.sees(&record) && filter.matches(&record));
                    Ok(true)
                })?;
            } else {
                secret_list::paths(view, scope, &range, &filter.criteria, now, |path, deleted| {
                    count += i64::from(self.sees_path(path, deleted));
                    Ok(())
                })?;
            }
        }
        Ok(count)
    }
}

fn time_position(time: Timestamp, path: &str) -> Vec<String> {
    vec!["time".to_owned(), time.as_micros().to_string(), path.to_owned()]
}

fn after_of(position: &[String]) -> Result<After> {
    match position {
        [kind, path] if kind == "path" => Ok(After::Path(path.clone())),
        [kind, folder] if kind == "folder" => Ok(After::Subtree(folder.clone())),
        [kind, time, path] if kind == "time" => {
            let micros = time.parse().map_err(|_| Error::internal("a genuine cursor with a bad time"))?;
            Ok(After::TimeAndPath(Timestamp::from_micros(micros), path.clone()))
        }
        _ => Err(Error::internal("a genuine cursor with an unknown position")),
    }
}

/// `GET /v1/secrets/expiring`
pub struct ExpiringSecrets {
    pub space: Space,
    pub days: i64,
    pub prefix: PathPrefix,
    pub include_expired: bool,
    pub limit: usize,
    pub after: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub struct ExpiringPage {
    /// Path and end, soonest first.
    pub items: Vec<(String, Timestamp)>,
    pub next: Option<Vec<String>>,
    pub now: Timestamp,
}

const SECONDS_A_DAY: i64 = 86_400;

impl Operation for ExpiringSecrets {
    type Output = ExpiringPage;
    const ACTION: Action = Action::SecretExpiring;

    fn target(&self) -> Target {
        Target::Listing { space: self.space, prefix: Some(self.prefix.as_str().to_owned()).filter(|p| !p.is_empty()) }
    }
}

impl Query for ExpiringSecrets {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<ExpiringPage> {
        let horizon = cx.now.plus_seconds(self.days * SECONDS_A_DAY);
        let criteria = Criteria { include_expired: self.include_expired, ..Criteria::default() };
        let after = self.after.as_deref().map(after_of).transpose()?;
        let mut items: Vec<(String, Timestamp)> = Vec::new();
        let prefix = self.prefix.as_str();
        secret_list::scan(
            view,
            permit.secrets(),
            prefix,
            &criteria,
            Order::ExpiresAt,
            after.as_ref(),
            cx.now,
            |record| {
                let Some(end) = record.expires_at.filter(|end| *end <= horizon) else { return Ok(false) };
                if permit.visibility().sees(&record.path) {
                    items.push((record.path, end));
                }
                Ok(items.len() <= self.limit)
            },
        )?;
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| has_more).map(|(path, end)| time_position(*end, path));
        cx.note("op", "expiring");
        cx.note("returned", items.len());
        Ok(ExpiringPage { items, next, now: cx.now })
    }
}
