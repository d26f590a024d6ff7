//! `rekindle completions`: a script for a shell.

use std::io::Write;

use clap::CommandFactory;

use crate::{arguments::Cli, exit::Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell.
    shell: clap_complete::Shell,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "rekindle", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Exit::Success)
}
