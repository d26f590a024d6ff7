//! `rekindle pause`: has jobs stand still.

use contract::{
    JobId,
    control::{JobState, JobView, PauseJob},
};

use super::each::each;
use crate::{context::Context, exit::Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The jobs' ids, or the beginnings or ends of some that are unique.
    #[arg(required = true)]
    jobs: Vec<JobId>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    each(&arguments.jobs, context, |job_id| PauseJob { job_id }, describe).await
}

fn describe(job: &JobView) -> String {
    match job.state {
        JobState::Paused => format!("job {} is paused", job.job_id),
        _ => format!("job {} is pausing: its attempt has been told to checkpoint and stop", job.job_id),
    }
}
