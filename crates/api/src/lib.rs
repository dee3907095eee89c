//! What goes over the wire: the types that the HTTP server, the CLI and the tests share.

pub mod secret;
