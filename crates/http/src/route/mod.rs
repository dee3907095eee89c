//! Handlers: parse functions from an admitted request to an operation, render functions from its output to a reply.

pub(crate) mod audit;
pub(crate) mod event;
pub(crate) mod field;
pub(crate) mod identity;
pub(crate) mod policy;
pub(crate) mod rotation_policy;
pub(crate) mod secret;
pub(crate) mod secret_policy;
pub(crate) mod subscription;
pub(crate) mod system;
pub(crate) mod token;
pub(crate) mod webhook;
