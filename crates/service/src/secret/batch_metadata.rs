//! Everything but the values of many secrets at once (contract 08 section 2).

use std::collections::BTreeMap;

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_domain::glob::{Glob, common_ranges, covering_prefixes};
use scaivault_domain::path::SecretPath;
use scaivault_store::ReadView;
use scaivault_store::secret::SecretRecord;
use scaivault_store::secret_list::{self, Criteria, Order};

use super::live;
use super::metadata::{SecretOverview, overview};
use crate::batch::Found;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::operation::{Operation, Query};

/// What patterns expand to, at most.
const MOST_EXPANDED: usize = 1_000;

/// `POST /v1/secrets/batch/metadata`
pub struct ReadManyMetadata {
    /// Under the names that the caller gave them, each once.
    pub paths: Vec<(String, Result<SecretPath, Error>)>,
    /// Also every living secret that matches one of these, as far as the caller may list it.
    pub globs: Vec<Glob>,
}

#[derive(Debug)]
pub struct ManyMetadata {
    /// By path.
    pub secrets: BTreeMap<String, SecretOverview>,
    /// By what the caller called it.
    pub errors: Vec<(String, Error)>,
    /// More matched than are shown.
    pub truncated: bool,
}

impl Operation for ReadManyMetadata {
    type Output = ManyMetadata;
    const ACTION: Action = Action::SecretBatchMetadata;

    fn target(&self) -> Target {
        Target::Listing { space: Space::Tenant, prefix: None }
    }
}

impl Query for ReadManyMetadata {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<ManyMetadata> {
        cx.note("op", "batch");
        let (expanded, truncated) = self.expand(permit, view, cx)?;
        let mut many = ManyMetadata { secrets: BTreeMap::new(), errors: Vec::new(), truncated };
        for record in expanded {
            many.secrets.insert(record.path.clone(), overview(view, record, cx.now)?);
        }
        for (name, found) in self.named(view, cx) {
            match found {
                Ok(record) => {
                    many.secrets.insert(record.path.clone(), overview(view, record, cx.now)?);
                }
                // Not about the path: the whole answer would be wrong.
                Err(error) if error.code().status() >= 500 => return Err(error),
                Err(error) => many.errors.push((name, error)),
            }
        }
        cx.note("returned", many.secrets.len());
        Ok(many)
    }
}

impl ReadManyMetadata {
    fn named(&self, view: &mut ReadView<'_>, cx: &Context<'_>) -> Found<SecretRecord> {
        let mut find = |path: &SecretPath| {
            let target = Target::Secret { space: Space::Tenant, path: path.clone() };
            let permit = cx.permit(Action::SecretMetadata, &target)?;
            live(view, permit.secrets(), path, cx.now)
        };
        let paths = self.paths.iter();
        paths.map(|(name, path)| (name.clone(), path.as_ref().map_err(Error::clone).and_then(&mut find))).collect()
    }

    /// One walk in path order for all patterns, over nothing but the ranges that both they and the caller's rules open.
    fn expand(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &Context<'_>) -> Result<(Vec<SecretRecord>, bool)> {
        let criteria = Criteria { include_expired: true, ..Criteria::default() };
        let mut expanded = Vec::new();
        for range in common_ranges(&covering_prefixes(&self.globs), &permit.visibility().covering_prefixes()) {
            secret_list::scan(view, permit.secrets(), &range, &criteria, Order::Path, None, cx.now, |record| {
                let asked = self.globs.iter().any(|glob| glob.matches(&record.path));
                if asked && permit.visibility().sees(&record.path) {
                    expanded.push(record);
                }
                Ok(expanded.len() <= MOST_EXPANDED)
            })?;
            if expanded.len() > MOST_EXPANDED {
                break;
            }
        }
        let truncated = expanded.len() > MOST_EXPANDED;
        expanded.truncate(MOST_EXPANDED);
        Ok((expanded, truncated))
    }
}
