//! `rekindle resume`: lets paused jobs go on.

use contract::{JobId, control::ResumeJob};

use super::each::each;
use crate::{context::Context, exit::Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The jobs' ids, or the beginnings or ends of some that are unique.
    #[arg(required = true)]
    jobs: Vec<JobId>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let describe = |job: &contract::control::JobView| format!("job {} is {} again", job.job_id, job.state);
    each(&arguments.jobs, context, |job_id| ResumeJob { job_id }, describe).await
}
