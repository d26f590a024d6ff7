//! `rekindle cancel`: ends jobs.

use contract::{
    JobId,
    control::{CancelJob, JobState, JobView},
};

use crate::{client::Client, context::Context, exit::Exit, output::tell};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The jobs' ids, or the beginnings or ends of some that are unique.
    #[arg(required = true)]
    jobs: Vec<JobId>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let client = context.connect().await?;
    let mut exit = Exit::Success;
    for name in &arguments.jobs {
        match cancel(name, &client).await {
            Ok(job) => context.output.line(&job, || describe(&job))?,
            // One job that cannot be cancelled is no reason to leave the others running.
            Err(error) if arguments.jobs.len() > 1 => {
                tell(&format!("{name}: {error:#}"));
                exit = Exit::of(&error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
}

async fn cancel(name: &JobId, client: &Client) -> anyhow::Result<JobView> {
    let job_id = client.job_id(name).await?;
    Ok(client.ask(&CancelJob { job_id }).await?)
}

fn describe(job: &JobView) -> String {
    match job.state {
        JobState::Cancelled => format!("job {} is cancelled", job.job_id),
        end if end.is_end() => format!("job {} had ended already: {end}", job.job_id),
        _ => format!("job {} is being cancelled: its attempt has been told to stop", job.job_id),
    }
}
