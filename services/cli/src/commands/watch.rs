//! `rekindle watch`: what happens, as it happens.

use contract::{JobId, control::JobView};
use serde_json::Value;
use settings::stop_on_signal;

use super::submit;
use crate::{
    client::Client,
    context::Context,
    exit::Exit,
    follow::{Waited, Watcher, keys_of, tell, until_the_end},
    output,
    text::{happening::Happening, waiting},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The job; without it, all jobs.
    job: Option<JobId>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let client = context.connect().await?;
    match &arguments.job {
        Some(name) => one(&client.job_id(name).await?, &client, context).await,
        None => all(&client, context).await,
    }
}

/// Until the job ends, or Ctrl-C.
async fn one(job: &JobId, client: &Client, context: &Context) -> anyhow::Result<Exit> {
    let stop = stop_on_signal()?;
    let events = client.listen(&[&keys_of(job)]).await?;
    let mut lines = Lines { context, with_job: false, waits_for: None };
    match until_the_end(client, job, events, &mut lines, &stop).await? {
        Waited::Ended(view) => {
            output::tell(&submit::end(&view));
            Ok(Exit::of_job(view.state))
        }
        Waited::Interrupted => Ok(Exit::Interrupted),
    }
}

/// Until Ctrl-C.
async fn all(client: &Client, context: &Context) -> anyhow::Result<Exit> {
    let stop = stop_on_signal()?;
    let mut events = client.listen(&["#"]).await?;
    let mut lines = Lines { context, with_job: true, waits_for: None };
    while let Some(Some(delivery)) = stop.run_until_cancelled(events.next()).await {
        tell(&delivery, &mut lines)?;
    }
    Ok(Exit::Interrupted)
}

/// A line per event.
struct Lines<'a> {
    context: &'a Context,
    with_job: bool,
    /// What the job was last said to wait for.
    waits_for: Option<String>,
}

impl Watcher for Lines<'_> {
    fn event(&mut self, event: &Value) -> anyhow::Result<()> {
        let line = || match Happening::read(event) {
            Some(happening) => happening.line(&self.context.clock(), self.with_job),
            None => event.to_string(),
        };
        Ok(self.context.output.line(event, line)?)
    }

    fn seen(&mut self, job: &JobView) {
        let detail = job.waiting.as_ref().map(|waiting| waiting.detail.clone());
        if self.waits_for == detail {
            return;
        }
        self.waits_for = detail;
        if let Some(waiting) = &job.waiting {
            output::tell(&format!("waits: {}", waiting::sentence(waiting, &self.context.clock())));
        }
    }
}
