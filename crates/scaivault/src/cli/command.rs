//! The commands that talk to a server: a file a group. Those that are one request say so by [`Planned`]; the others have a
//! `run` of their own.

mod audit;
mod auth;
mod batch;
mod completion;
mod config;
pub(crate) mod database;
mod partner_secrets;
mod policies;
mod rotation;
mod run;
mod secret_policies;
mod secrets;
mod shared;
mod subscriptions;
mod system;
mod watch;
mod webhooks;

use std::future::Future;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::plan::Planned;
use super::session::Session;
use super::settings::{Early, Shared};
use crate::failure::Failure;

// What follows has no doc comments of its own: they would stand in the help of every command.

// A group of commands, and what all of them take.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Group<T: Subcommand> {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: T,
}

// A command that stands alone, and the same.
#[derive(Debug, Args)]
pub(crate) struct Alone<T: Args> {
    #[command(flatten)]
    command: T,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Read, write and manage secrets
    Secrets(Group<secrets::Secrets>),
    /// Secrets that all tenants of a partner share
    PartnerSecrets(Group<partner_secrets::PartnerSecrets>),
    /// Several secrets in one request
    Batch(Group<batch::Batch>),
    Run(Alone<run::Run>),
    Watch(Alone<watch::Watch>),
    /// Who may do what at which paths
    Policies(Group<policies::Policies>),
    /// When secrets are renewed
    Rotation(Group<rotation::Rotation>),
    /// Recipes for new values
    SecretPolicies(Group<secret_policies::SecretPolicies>),
    /// Who did what, and the proof that nobody altered the record
    Audit(Group<audit::Audit>),
    /// Events sent to an address
    Webhooks(Group<webhooks::Webhooks>),
    /// Events about paths, sent or polled
    Subscriptions(Group<subscriptions::Subscriptions>),
    /// Sign in and out; tokens
    Auth(Group<auth::Auth>),
    /// Settings of this program in ~/.scaivault/config.json
    Config(Group<config::Config>),
    Unseal(Alone<system::Unseal>),
    Seal(Alone<system::Seal>),
    Completion(completion::Completion),
}

impl ClientCommand {
    /// `early`: the flags before the command.
    pub(crate) async fn run(self, early: Early) -> Result<ExitCode, Failure> {
        match self {
            Self::Secrets(group) => group.with(early, secrets::Secrets::run).await,
            Self::PartnerSecrets(group) => group.with(early, partner_secrets::PartnerSecrets::run).await,
            Self::Batch(group) => group.with(early, batch::Batch::run).await,
            Self::Run(alone) => alone.command.run(&Session::start(&alone.shared.after(early))?).await,
            Self::Watch(alone) => done(alone.command.run(&Session::start(&alone.shared.after(early))?).await),
            Self::Policies(group) => group.perform(early).await,
            Self::Rotation(group) => group.with(early, rotation::Rotation::run).await,
            Self::SecretPolicies(group) => group.perform(early).await,
            Self::Audit(group) => group.with(early, audit::Audit::run).await,
            Self::Webhooks(group) => group.with(early, webhooks::Webhooks::run).await,
            Self::Subscriptions(group) => group.perform(early).await,
            Self::Auth(group) => done(auth::run(group.command, &group.shared.after(early)).await),
            Self::Config(group) => done(config::run(&group.command, &group.shared.after(early))),
            Self::Unseal(alone) => done(alone.command.run(&Session::start(&alone.shared.after(early))?).await),
            Self::Seal(alone) => done(Session::start(&alone.shared.after(early))?.perform(alone.command.plan()).await),
            Self::Completion(completion) => done(completion.run()),
        }
    }
}

impl<T: Subcommand + Planned> Group<T> {
    async fn perform(self, early: Early) -> Result<ExitCode, Failure> {
        let session = Session::start(&self.shared.after(early))?;
        done(session.perform(self.command.plan()?).await)
    }
}

impl<T: Subcommand> Group<T> {
    async fn with<F, R>(self, early: Early, run: F) -> Result<ExitCode, Failure>
    where
        F: FnOnce(T, Session) -> R,
        R: Future<Output = Result<(), Failure>>,
    {
        let session = Session::start(&self.shared.after(early))?;
        done(run(self.command, session).await)
    }
}

fn done(outcome: Result<(), Failure>) -> Result<ExitCode, Failure> {
    outcome.map(|()| ExitCode::SUCCESS)
}
