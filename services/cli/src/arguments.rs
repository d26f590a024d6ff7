//! The command line as a whole. Each command's own arguments stand beside what it does.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    artifacts, cancel, checkpoints, completions, cost, drain, estimate, logs, ls, pause, resume, retry, rm,
    sample, show, submit, sweep, up, watch,
};

/// Trains image models on the GPUs you have, and finishes what it starts.
#[derive(Debug, Parser)]
#[command(name = "rekindle", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// The settings; without it, those that `REKINDLE_CONFIG` names, or the nearest rekindle.toml.
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub(crate) config: Option<PathBuf>,

    /// Write JSON for programs to stdout: one document, or one line per event.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EVERYWHERE: &str = "Options of every command";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line or a job file is not valid
  3  refused, or no such job
  4  the job that was waited for ended without success
  5  no broker, or no service, answers
  130  interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole system in this terminal: broker, scheduler, checkpoint store and trainers for each GPU.
    Up(up::Arguments),
    /// Ask for a job.
    Submit(submit::Arguments),
    /// List jobs, newest first.
    Ls(ls::Arguments),
    /// Show all there is to know of a job.
    Show(show::Arguments),
    /// Follow what happens, to one job or to all.
    Watch(watch::Arguments),
    /// Print what has happened to a job.
    Logs(logs::Arguments),
    /// Cancel jobs.
    Cancel(cancel::Arguments),
    /// Have jobs stand still: those that run checkpoint and stop, and hold no machine.
    Pause(pause::Arguments),
    /// Let paused jobs go on, from their last checkpoints.
    Resume(resume::Arguments),
    /// Send a job that ended without success through again, from its last checkpoint.
    Retry(retry::Arguments),
    /// Forget jobs that have ended, with their checkpoints and everything else they left.
    Rm(rm::Arguments),
    /// List, verify and fetch a job's checkpoints.
    Checkpoints(checkpoints::Arguments),
    /// List and fetch the models, pictures and tables that a job left.
    Artifacts(artifacts::Arguments),
    /// Generate images from a checkpoint of a `dit` job.
    Sample(sample::Arguments),
    /// Submit, show, cancel, resume and draw sweeps: many jobs that differ in their parameters.
    #[command(subcommand)]
    Sweep(sweep::Arguments),
    /// List the trainers.
    Workers,
    /// Have a trainer take nothing new, and finish or hand back what it runs.
    Drain(drain::Arguments),
    /// Say what a job would come to, and what at worst, without asking for it.
    Estimate(estimate::Arguments),
    /// Say what was spent, and where.
    Cost(cost::Arguments),
    /// List what owners have spent of what they may this month, what is reserved, and what is left.
    Owners,
    /// Look for what is wrong with this installation and say what to do.
    Doctor,
    /// Print a script that completes commands in a shell.
    Completions(completions::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn verify_cli() {
        Cli::command().debug_assert();
    }

    /// The page has a section for each command, in the order of the help, and every exit code.
    #[test]
    fn the_documentation_lists_every_command() {
        let page = include_str!("../../../docs/cli.md");
        let documented: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## `rekindle ")?.split([' ', '`']).next())
            .collect();
        let command = Cli::command();
        let present: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(documented, present);
        for line in EXIT_CODES.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").unwrap();
            assert!(page.contains(&format!("| {code} | {meaning} |")), "exit code {code} is not documented");
        }
    }

    /// Every option of every command is named in its section.
    #[test]
    fn the_documentation_names_every_option() {
        let page = include_str!("../../../docs/cli.md");
        for command in Cli::command().get_subcommands() {
            let start = page.find(&format!("## `rekindle {}", command.get_name())).unwrap();
            let section = &page[start..];
            let section = &section[..section[3..].find("\n## ").map_or(section.len(), |end| end + 3)];
            for option in command.get_opts().filter_map(clap::Arg::get_long) {
                assert!(
                    section.contains(&format!("--{option}")),
                    "--{option} of {} is not documented",
                    command.get_name()
                );
            }
        }
    }
}
