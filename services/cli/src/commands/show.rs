//! `rekindle show`: one job in full.

use contract::JobId;

use crate::{context::Context, exit::Exit, text};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The job's id, or the beginning or end of one that is unique.
    job: JobId,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let job = context.connect().await?.job(&arguments.job).await?;
    let place = context.artifact_place();
    context.output.answer(&job, || text::job::describe(&job, &context.clock(), place))?;
    Ok(Exit::Success)
}
