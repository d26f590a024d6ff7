//! `rekindle submit`: asks for a job and, if told to, waits for its end.

use std::time::Duration;

use contract::{JobAccepted, control::JobView};
use settings::stop_on_signal;

use crate::{
    client::Client,
    context::Context,
    exit::Exit,
    follow::{ProgressDisplay, Waited, keys_of, until_the_end},
    output::tell,
    submission::SubmissionArguments,
    text::{fields, happening::figures},
};

/// How long the scheduler may take to accept a job: durably, so longer than a look.
const ACCEPT_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    submission: SubmissionArguments,
    /// Wait until the job ends, and end with code 4 unless it succeeds.
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let submission = arguments.submission.into_submission()?;
    let client = context.connect().await?;
    let accepted = client.ask_within(ACCEPT_LIMIT, &submission).await?;
    if !arguments.wait {
        context.output.answer(&accepted, || describe(&accepted))?;
        return Ok(Exit::Success);
    }
    tell(&describe(&accepted));
    wait(&accepted, &client, context).await
}

/// Shows how far the job is until it ends, then what came of it.
async fn wait(accepted: &JobAccepted, client: &Client, context: &Context) -> anyhow::Result<Exit> {
    let job = &accepted.job_id;
    let stop = stop_on_signal()?;
    let events = client.listen(&[&keys_of(job)]).await?;
    let mut display = ProgressDisplay::start();
    let waited = until_the_end(client, job, events, &mut display, &stop).await;
    drop(display);
    match waited? {
        Waited::Ended(view) => {
            context.output.answer(&view, || end(&view))?;
            Ok(Exit::of_job(view.state))
        }
        Waited::Interrupted => {
            tell(&format!(
                "job {job} goes on; `rekindle watch {job}` follows it, `rekindle cancel {job}` ends it"
            ));
            Ok(Exit::Interrupted)
        }
    }
}

fn describe(accepted: &JobAccepted) -> String {
    let known = if accepted.duplicate { " (it was known already)" } else { "" };
    let mut rows =
        vec![("job", accepted.job_id.to_string()), ("state", format!("{}{known}", accepted.state))];
    rows.extend(super::estimate::rows(&accepted.estimate));
    fields(&rows)
}

/// What came of the job, in a line or two.
pub(crate) fn end(view: &JobView) -> String {
    let mut text = format!("job {} {}", view.job_id, view.state);
    if let Some(failure) = &view.failure {
        text = format!("{text}: {failure}");
    }
    if let Some(result) = view.result.as_ref().filter(|result| !result.metrics.is_empty()) {
        text = format!("{text}: {}", figures(&result.metrics));
    }
    let hint = match &view.result {
        Some(result) if !result.artifacts.is_empty() => {
            format!("`rekindle artifacts {}` lists what it left", view.job_id)
        }
        _ => format!("`rekindle show {}` tells all of it", view.job_id),
    };
    format!("{text}\n{hint}\n")
}
