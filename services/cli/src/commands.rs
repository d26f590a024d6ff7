//! What each command does.

pub(crate) mod artifacts;
pub(crate) mod cancel;
pub(crate) mod checkpoints;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod estimate;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod retry;
pub(crate) mod show;
pub(crate) mod submit;
pub(crate) mod up;
pub(crate) mod watch;
pub(crate) mod workers;

use crate::{
    arguments::{Cli, Command},
    context::Context,
    exit::Exit,
};

/// Runs one command.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        // These two must work where the settings do not.
        Command::Completions(arguments) => return completions::run(&arguments),
        Command::Doctor => return doctor::run(cli.config.as_deref(), cli.json).await,
        _ => {}
    }
    let context = Context::new(cli.config.as_deref(), cli.json)?;
    let _telemetry = telemetry::init("rekindle", &context.telemetry(&cli.command))?;
    match cli.command {
        Command::Up(arguments) => up::run(arguments, &context).await,
        Command::Submit(arguments) => submit::run(arguments, &context).await,
        Command::Ls(arguments) => ls::run(arguments, &context).await,
        Command::Show(arguments) => show::run(&arguments, &context).await,
        Command::Watch(arguments) => watch::run(&arguments, &context).await,
        Command::Logs(arguments) => logs::run(&arguments, &context).await,
        Command::Cancel(arguments) => cancel::run(&arguments, &context).await,
        Command::Retry(arguments) => retry::run(&arguments, &context).await,
        Command::Checkpoints(arguments) => checkpoints::run(&arguments, &context).await,
        Command::Artifacts(arguments) => artifacts::run(&arguments, &context).await,
        Command::Workers => workers::run(&context).await,
        Command::Estimate(arguments) => estimate::run(arguments, &context).await,
        Command::Completions(_) | Command::Doctor => unreachable!("these ran above"),
    }
}
