//! The two shapes of everything a caller can ask for.

use std::sync::Arc;

use scaivault_domain::access::{Permit, Target};
use scaivault_domain::action::Action;
use scaivault_store::{ReadView, WriteTx};

use crate::context::Context;
use crate::error::Result;
use crate::vault::Vault;

/// One thing a caller can ask for. A door builds it, [`Vault::query`] or [`Vault::command`] runs it.
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
