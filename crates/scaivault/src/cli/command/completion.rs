//! `scaivault completion`

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::cli::args::Arguments;
use crate::cli::unwritten;
use crate::failure::Failure;
use crate::output;

/// Print what a shell needs to complete commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scaivault completion bash > ~/.local/share/bash-completion/completions/scaivault
  scaivault completion zsh > \"${fpath[1]}/_scaivault\"
  scaivault completion fish > ~/.config/fish/completions/scaivault.fish")]
pub(crate) struct Completion {
    shell: Shell,
}

impl Completion {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Arguments::command(), "scaivault", &mut script);
        output::bytes(&script).map_err(unwritten)
    }
}
