//! What each command does.

pub(crate) mod artifacts;
pub(crate) mod cancel;
pub(crate) mod checkpoints;
pub(crate) mod completions;
pub(crate) mod cost;
pub(crate) mod doctor;
pub(crate) mod drain;
mod each;
pub(crate) mod estimate;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod owners;
pub(crate) mod pause;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod rm;
pub(crate) mod sample;
mod selection;
pub(crate) mod show;
pub(crate) mod submit;
pub(crate) mod sweep;
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
    let (config, json) = (cli.config.as_deref(), cli.json);
    let context = || Context::of_question(config, json);
    match cli.command {
        Command::Up(arguments) => up::run(arguments, &Context::of_system(config, json)?).await,
        Command::Submit(arguments) => submit::run(arguments, &context()?).await,
        Command::Ls(arguments) => ls::run(arguments, &context()?).await,
        Command::Show(arguments) => show::run(&arguments, &context()?).await,
        Command::Watch(arguments) => watch::run(&arguments, &context()?).await,
        Command::Logs(arguments) => logs::run(&arguments, &context()?).await,
        Command::Cancel(arguments) => cancel::run(&arguments, &context()?).await,
        Command::Pause(arguments) => pause::run(&arguments, &context()?).await,
        Command::Resume(arguments) => resume::run(&arguments, &context()?).await,
        Command::Retry(arguments) => retry::run(&arguments, &context()?).await,
        Command::Rm(arguments) => rm::run(&arguments, &context()?).await,
        Command::Checkpoints(arguments) => checkpoints::run(&arguments, &context()?).await,
        Command::Artifacts(arguments) => artifacts::run(&arguments, &context()?).await,
        Command::Sample(arguments) => sample::run(arguments, &context()?).await,
        Command::Sweep(arguments) => sweep::run(arguments, &context()?).await,
        Command::Workers => workers::run(&context()?).await,
        Command::Drain(arguments) => drain::run(arguments, &context()?).await,
        Command::Estimate(arguments) => estimate::run(arguments, &context()?).await,
        Command::Cost(arguments) => cost::run(arguments, &context()?).await,
        Command::Owners => owners::run(&context()?).await,
        // These two must work where the settings do not.
        Command::Doctor => doctor::run(config, json).await,
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
