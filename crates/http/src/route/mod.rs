//! Handlers: parse functions from an admitted request to an operation, render functions from its output to a reply.

pub(crate) mod secret;
