//! `rekindle rm`: forgets jobs that have ended, with all that they left.

use std::time::Duration;

use contract::{
    JobId, Seconds, Timestamp,
    checkpoints::{RemoveHistory, Removed},
    control::{JobState, JobSummary, JobView, ListJobs, RemoveJob},
};
use serde::Serialize;

use crate::{client::Client, context::Context, exit::Exit, output::tell, text::size};

/// Removing from a bucket takes a while when there is much to remove.
const REMOVE_LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The jobs' ids, or the beginnings or ends of some that are unique.
    #[arg(required_unless_present = "ended_for")]
    jobs: Vec<JobId>,
    /// Instead, every job that ended at least so long ago, such as 30d.
    #[arg(long, value_name = "TIME", conflicts_with = "jobs")]
    ended_for: Option<Seconds>,
    /// With --ended-for: only this owner's.
    #[arg(long, requires = "ended_for")]
    owner: Option<String>,
    /// Say which jobs would go, and remove nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What became of one job.
#[derive(Debug, Serialize)]
struct Gone {
    job_id: JobId,
    state: JobState,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Removed>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let client = context.connect().await?;
    let names = match arguments.ended_for {
        None => arguments.jobs.clone(),
        Some(age) => ended(&client, age, arguments.owner.as_deref()).await?,
    };
    if names.is_empty() {
        tell("no job has ended that long ago");
    }
    let mut exit = Exit::Success;
    for name in &names {
        match remove(name, &client, arguments.dry_run).await {
            Ok(gone) => context.output.line(&gone, || describe(&gone))?,
            // One job that goes on is no reason to keep the others.
            Err(error) if names.len() > 1 => {
                tell(&format!("{name}: {error:#}"));
                exit = Exit::of(&error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
}

/// The jobs that ended at least `age` ago, oldest first.
async fn ended(client: &Client, age: Seconds, owner: Option<&str>) -> anyhow::Result<Vec<JobId>> {
    let now = Timestamp::now();
    let mut request = ListJobs {
        states: JobState::ALL.into_iter().filter(|state| state.is_end()).collect(),
        owner: owner.map(Into::into),
        limit: ListJobs::MAX_LIMIT,
        ..ListJobs::default()
    };
    let mut found = Vec::new();
    loop {
        let page = client.ask(&request).await?;
        request.before = page.jobs.last().map(|job| job.job_id.clone());
        let is_old =
            |job: &JobSummary| job.ended_at.is_some_and(|ended| age.to_duration() <= now.since(ended));
        found.extend(page.jobs.into_iter().filter(is_old).map(|job| job.job_id));
        if !page.more || request.before.is_none() {
            found.reverse();
            return Ok(found);
        }
    }
}

/// First from the store: a removal that stops half-way leaves the job's record, and can be asked for again.
async fn remove(name: &JobId, client: &Client, dry_run: bool) -> anyhow::Result<Gone> {
    let JobView { job_id, state, attempts, .. } = client.job(name).await?;
    anyhow::ensure!(
        state.is_end(),
        "job {job_id} is {state}; only one that has ended can be removed: cancel it first"
    );
    if dry_run {
        return Ok(Gone { job_id, state, removed: None });
    }
    let token = attempts.last().map_or(0, |attempt| attempt.attempt);
    let removal = RemoveHistory { job_id: job_id.clone(), token };
    let removed = client.ask_within(REMOVE_LIMIT, &removal).await?;
    client.ask(&RemoveJob { job_id: job_id.clone() }).await?;
    Ok(Gone { job_id, state, removed: Some(removed) })
}

fn describe(gone: &Gone) -> String {
    let Gone { job_id, state, removed } = gone;
    match removed {
        None => format!("job {job_id} ({state}) would be removed"),
        Some(Removed { objects: 0, .. }) => format!("job {job_id} is removed; it had left nothing"),
        Some(Removed { objects, bytes }) => {
            format!("job {job_id} is removed, with {objects} files of {}", size(*bytes))
        }
    }
}
