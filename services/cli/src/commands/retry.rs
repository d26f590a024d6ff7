//! `rekindle retry`: a job that ended without success goes through again.

use contract::{JobId, Seconds, TotalLimits, control::RedriveJob};

use crate::{context::Context, exit::Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The job's id, or the beginning or end of one that is unique.
    job: JobId,
    /// A new limit on the time of everything, the past included.
    #[arg(long, value_name = "TIME")]
    total_time: Option<Seconds>,
    /// A new limit on the money of everything, the past included, in US dollars.
    #[arg(long, value_name = "USD")]
    total_usd: Option<f64>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let client = context.connect().await?;
    let job_id = client.job_id(&arguments.job).await?;
    let total = TotalLimits { time: arguments.total_time, usd: arguments.total_usd };
    let job = client.ask(&RedriveJob { job_id, total }).await?;
    context.output.answer(&job, || format!("job {} is {} again", job.job_id, job.state))?;
    Ok(Exit::Success)
}
