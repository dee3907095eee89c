//! What a caller may see in a list: the rules turned into a filter (contract 03 section 1, `list`).

use super::decision::{BoundPolicy, failure};
use super::{PermissionSet, Rule};
use crate::condition::Facts;
use crate::glob::{self, Glob};

/// The paths at which the rules allow something to a caller now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    All,
    /// The paths that match one of these; no globs, no paths.
    Globs(Vec<Glob>),
}

impl Visibility {
    /// No path at all.
    pub const fn none() -> Visibility {
        Visibility::Globs(Vec::new())
    }

    /// Whether it can be said without looking that nothing is seen.
    pub fn is_none(&self) -> bool {
        matches!(self, Visibility::Globs(globs) if globs.is_empty())
    }

    /// The same answer that [`super::decide`] gives for the path.
    pub fn sees(&self, path: &str) -> bool {
        match self {
            Visibility::All => true,
            Visibility::Globs(globs) => globs.iter().any(|glob| glob.matches(path)),
        }
    }

    /// Whether a path below `folder` (which ends in `/`) could be seen: never false where one is.
    pub fn reaches_below(&self, folder: &str) -> bool {
        match self {
            Visibility::All => true,
            Visibility::Globs(globs) => globs.iter().any(|glob| {
                let known = glob.literal_prefix();
                let open = known.len() < glob.as_str().len();
                known.starts_with(folder) || (open && folder.starts_with(known))
            }),
        }
    }

    /// The ranges of the path index to scan: see [`glob::covering_prefixes`]. A path in one of them still needs [`Visibility::sees`].
    pub fn covering_prefixes(&self) -> Vec<String> {
        match self {
            Visibility::All => vec![String::new()],
            Visibility::Globs(globs) => glob::covering_prefixes(globs),
        }
    }
}

/// Where the rules allow one of `wanted` under the facts. A rule whose conditions fail now shows nothing.
pub fn visibility(policies: &[BoundPolicy], wanted: PermissionSet, facts: &Facts) -> Visibility {
    let mut globs: Vec<Glob> = Vec::new();
    let applies = |rule: &&Rule| rule.grants_any(wanted) && failure(rule, facts).is_none();
    for rule in policies
        .iter()
        .filter(|policy| policy.grants_at(facts.now))
        .flat_map(|policy| policy.rules.iter())
        .filter(applies)
    {
        if rule.path_pattern().is_match_all() {
            return Visibility::All;
        }
        globs.push(rule.path_pattern().clone());
    }
    // Policies repeat each other's patterns, and a list asks for every path.
    globs.sort_by(|left, right| left.as_str().cmp(right.as_str()));
    globs.dedup();
    Visibility::Globs(globs)
}
