//! The three shapes of everything a caller can ask for.

use std::sync::Arc;

use scaivault_domain::access::{Permit, Space, Target};
use scaivault_domain::action::Action;
use scaivault_store::{Lane, ReadView, WriteTx};

use crate::caller::Caller;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::vault::Vault;

/// One thing a caller can ask for. A door builds it, [`Vault::query`], [`Vault::command`] or (its parts) [`Vault::batch`] runs it.
pub trait Operation: Send + Sync + 'static {
    type Output: Send + 'static;

    /// What the door announces before it has read the request: decides the scope and the rate bucket.
    const ACTION: Action;

    /// What is really asked for, once the request was read; a narrower right than [`Self::ACTION`] where options demand it.
    fn action(&self) -> Action {
        Self::ACTION
    }

    fn target(&self) -> Target;
}

/// Changes something: runs inside the write transaction that also takes its audit entry. May run again from the start when the
/// engine repeats the transaction, so it keeps no state of its own.
pub trait Command: Operation {
    /// What has to be asked of somebody else's machine first, because no transaction may wait for it. The caller is admitted, but
    /// nothing is decided yet: whatever this finds out, [`Command::run`] tells it.
    fn prepare(&mut self, _vault: &Arc<Vault>, _caller: &Caller) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// What may not change beneath it. A command on one of the tenant's own secrets touches nothing else; all others have the whole
    /// database to themselves for as long as they take.
    fn lane(&self, caller: &Caller) -> Lane {
        match self.target() {
            Target::Secret { space: Space::Tenant, .. } => Lane::Tenant(caller.standing.tenant.as_str().to_owned()),
            Target::Secret { space: Space::Partner, .. }
            | Target::Listing { .. }
            | Target::Tenant
            | Target::Instance => Lane::Whole,
        }
    }

    fn run(&self, permit: &Permit, tx: &mut WriteTx<'_>, cx: &mut Context<'_>) -> Result<Self::Output>;
}

/// Only looks. Its one write is its audit entry, which is durable before the output leaves the pipeline.
pub trait Query: Operation {
    fn run(&self, permit: &Permit, view: &mut ReadView<'_>, cx: &mut Context<'_>) -> Result<Self::Output>;

    /// The answer without the database, if memory has it. Runs on the async thread: no blocking.
    fn cached_answer(
        &self,
        _permit: &Permit,
        _vault: &Arc<Vault>,
        _cx: &mut Context<'_>,
    ) -> Option<Result<Self::Output>> {
        None
    }
}

/// Looks at several things over one snapshot. Each part is decided on and recorded as if it had been asked for alone; the entries of
/// all parts are durable, together, before any output leaves the pipeline.
pub trait Batch: Send + Sync + 'static {
    type Part: Query;

    /// See [`Operation::ACTION`]. What is decided and recorded is each part's own.
    const ACTION: Action;

    /// Where the parts lie: their keys are fetched at once.
    fn target(&self) -> Target;

    /// Under the names that the caller gave them, each once, in the caller's order.
    fn parts(&self) -> &[Part<Self::Part>];

    /// The first error ends the call and is its answer.
    fn fail_fast(&self) -> bool;

    /// The bytes that an output adds to the answer. All of them must fit.
    fn size(output: &<Self::Part as Operation>::Output) -> usize;
}

/// One thing of a [`Batch`].
#[derive(Debug, Clone)]
pub struct Part<Q> {
    /// What the caller called it.
    pub name: String,
    /// Or why it can't even be asked for.
    pub query: Result<Q, Error>,
}

/// `tenant_operation!(Type, ActionName, Output)`: an operation on something of the tenant that has no path.
macro_rules! tenant_operation {
    ($name:ident, $action:ident, $output:ty) => {
        impl crate::operation::Operation for $name {
            type Output = $output;
            const ACTION: scaivault_domain::action::Action = scaivault_domain::action::Action::$action;

            fn target(&self) -> scaivault_domain::access::Target {
                scaivault_domain::access::Target::Tenant
            }
        }
    };
}
pub(crate) use tenant_operation;
