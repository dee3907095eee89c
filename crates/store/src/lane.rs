//! What a write keeps others from doing meanwhile.

use scaivault_domain::access::TenantScope;

/// Which other writes a write excludes, on this node and on all others.
///
/// The embedded store runs one write after the other and needs none of this. On PostgreSQL transactions of different lanes run at the
/// same time; within a lane, what a write has read stays true until it commits. A write that names too wide a lane is slow; one
/// that names too narrow a lane is wrong: when in doubt, [`Lane::Whole`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Excludes nobody. For audit entries of those who only looked: whoever waits for one waits for nothing else.
    Beside,
    /// Excludes [`Lane::Whole`] and the writes of the same tenant. For what reads and changes only that tenant's own rows, and reads
    /// of others only what is changed under [`Lane::Whole`].
    Tenant(String),
    /// Excludes nobody, but on a node one goes after the other. For the server's own upkeep, as far as its statements each carry their own
    /// condition (`UPDATE ... WHERE claim = $1`) and mean nothing together: claims of jobs, statistics, what is dropped for its age.
    Upkeep,
    /// Excludes every other write but those beside and upkeep.
    Whole,
}

impl Lane {
    /// The lane of a tenant's own rows.
    pub fn of(scope: &TenantScope) -> Self {
        Self::Tenant(scope.tenant().as_str().to_owned())
    }
}
