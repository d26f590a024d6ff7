//! `rekindle cancel`: ends jobs.

use contract::{
    JobId,
    control::{CancelJob, JobState, JobView},
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
    each(&arguments.jobs, context, |job_id| CancelJob { job_id }, describe).await
}

fn describe(job: &JobView) -> String {
    match job.state {
        JobState::Cancelled => format!("job {} is cancelled", job.job_id),
        end if end.is_end() => format!("job {} had ended already: {end}", job.job_id),
        _ => format!("job {} is being cancelled: its attempt has been told to stop", job.job_id),
    }
}
