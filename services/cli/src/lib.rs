//! The `rekindle` command: submits jobs, shows them, fetches what they leave, and runs the whole system in one
//! terminal. Data goes to stdout, everything else to stderr.

mod arguments;
mod client;
mod commands;
mod context;
mod exit;
mod follow;
mod job_file;
mod output;
mod submission;
mod sweep_file;
mod text;

use std::{ffi::OsString, io::Write, process::ExitCode};

use clap::Parser;

use crate::{arguments::Cli, exit::Exit};

/// Runs one command line, the program's name included, and says how the process is to end.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(asked_for_help_or_wrong) => {
            // Where nobody reads any more, there is nobody to tell.
            let _ = asked_for_help_or_wrong.print();
            return Exit::of_arguments(&asked_for_help_or_wrong).into();
        }
    };
    let exit = commands::run(cli).await.unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        if exit != Exit::Success {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
        }
        exit
    });
    exit.into()
}
