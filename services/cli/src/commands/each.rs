//! Doing the same with each of several jobs.

use contract::{
    JobId, Request,
    control::{JobState, JobView},
};
use serde_json::json;

use super::selection::{Selected, Selection};
use crate::{client::Client, context::Context, exit::Exit, output::tell};

/// What a command does with jobs.
pub(crate) struct Deed {
    /// To do it: `cancel`.
    pub(crate) verb: &'static str,
    /// That it is done: `cancelled`.
    pub(crate) done: &'static str,
    /// The states in which a job can be told to.
    pub(crate) possible: &'static [JobState],
}

/// Asks for the same with each job, and says with `describe` what became of it. One that is refused is no reason to
/// leave the others.
pub(crate) async fn each<R: Request<Reply = JobView>>(
    deed: &Deed,
    selection: &Selection,
    context: &Context,
    request: impl Fn(JobId) -> R,
    describe: impl Fn(&JobView) -> String,
) -> anyhow::Result<Exit> {
    selection.check(deed.possible, deed.verb)?;
    let client = context.connect().await?;
    let jobs = selection.jobs(&client, deed.possible, deed.verb).await?;
    let mut outcome = Outcome::of(jobs.len());
    for job in &jobs {
        let asked = match selection.dry_run {
            true => look(job, &client, deed, context).await,
            false => ask(job, &client, &request)
                .await
                .and_then(|job| Ok(context.output.line(&job, || describe(&job))?)),
        };
        outcome.take(&job.job_id, asked)?;
    }
    if selection.is_by_filter() && !selection.dry_run {
        outcome.sum_up(deed.done);
    }
    Ok(outcome.exit)
}

/// Says what would be done with a job.
async fn look(job: &Selected, client: &Client, deed: &Deed, context: &Context) -> anyhow::Result<()> {
    let (job_id, state) = match &job.summary {
        Some(summary) => (summary.job_id.clone(), summary.state),
        None => {
            let view = client.job(&job.job_id).await?;
            (view.job_id, view.state)
        }
    };
    let possible = deed.possible.contains(&state);
    let would = if possible { "would be" } else { "would not be" };
    let value = json!({ "job_id": job_id, "state": state, "would": possible });
    Ok(context.output.line(&value, || format!("job {job_id} ({state}) {would} {}", deed.done))?)
}

/// Asks for one job, under its whole name.
pub(crate) async fn ask<R: Request<Reply = JobView>>(
    job: &Selected,
    client: &Client,
    request: impl Fn(JobId) -> R,
) -> anyhow::Result<JobView> {
    let job_id = match &job.summary {
        Some(summary) => summary.job_id.clone(),
        None => client.job_id(&job.job_id).await?,
    };
    Ok(client.ask(&request(job_id)).await?)
}

/// What became of several jobs.
pub(crate) struct Outcome {
    of: usize,
    failed: usize,
    pub(crate) exit: Exit,
}

impl Outcome {
    pub(crate) fn of(jobs: usize) -> Self {
        Self { of: jobs, failed: 0, exit: Exit::Success }
    }

    /// Takes note of one job. What goes wrong with the only one is the command's own error.
    pub(crate) fn take(&mut self, name: &JobId, done: anyhow::Result<()>) -> anyhow::Result<()> {
        match done {
            Err(error) if 1 < self.of => {
                tell(&format!("{name}: {error:#}"));
                self.failed += 1;
                self.exit = Exit::of(&error);
                Ok(())
            }
            done => done,
        }
    }

    /// Says how many there were.
    pub(crate) fn sum_up(&self, done: &str) {
        if 1 < self.of {
            tell(&format!("{} of {} jobs {done}", self.of - self.failed, self.of));
        }
    }
}
