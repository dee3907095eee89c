//! `scaivault`: the server and its command line in one binary.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod build_info;
mod cli;
mod config;
mod data_dir;
mod failure;
mod first_token;
mod logging;
mod output;
mod process;
mod shutdown;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
