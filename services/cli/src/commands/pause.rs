//! `rekindle pause`: has jobs stand still.

use contract::control::{JobState, JobView, PauseJob};

use super::{
    each::{Deed, each},
    selection::Selection,
};
use crate::{context::Context, exit::Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
}

const DEED: Deed = Deed {
    verb: "pause",
    done: "paused",
    possible: &[JobState::Queued, JobState::Offered, JobState::Running, JobState::BackingOff],
};

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    each(&DEED, &arguments.selection, context, |job_id| PauseJob { job_id }, describe).await
}

fn describe(job: &JobView) -> String {
    match job.state {
        JobState::Paused => format!("job {} is paused", job.job_id),
        _ => format!("job {} is pausing: its attempt has been told to checkpoint and stop", job.job_id),
    }
}
