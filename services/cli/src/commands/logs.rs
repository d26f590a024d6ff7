//! `rekindle logs`: what has happened to a job.

use std::time::Duration;

use contract::{
    JobId,
    control::{GetHistory, GetJob, HistoryEntry},
};
use settings::stop_on_signal;

use crate::{
    client::Client,
    context::Context,
    exit::Exit,
    follow::keys_of,
    text::{Clock, happening::Happening},
};

/// How often to look when nothing is heard.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The job's id, or the beginning or end of one that is unique.
    job: JobId,
    /// Go on until the job ends.
    #[arg(long, short)]
    follow: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let client = context.connect().await?;
    let job = client.job_id(&arguments.job).await?;
    if arguments.follow {
        return follow(&job, &client, context).await;
    }
    print_after(0, &job, &client, context).await?;
    Ok(Exit::Success)
}

/// Events only say when to look: the scheduler's record is the one that is printed, so that nothing is printed twice
/// or left out.
async fn follow(job: &JobId, client: &Client, context: &Context) -> anyhow::Result<Exit> {
    let stop = stop_on_signal()?;
    let mut events = client.listen(&[&keys_of(job)]).await?;
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    let mut last = 0;
    loop {
        // The state first: once it is an end, what is printed after it is complete.
        let ended = client.ask(&GetJob { job_id: job.clone() }).await?.state.is_end();
        last = print_after(last, job, client, context).await?;
        if ended {
            return Ok(Exit::Success);
        }
        tokio::select! {
            event = events.next() => if event.is_none() { look.tick().await; },
            _ = look.tick() => {}
            () = stop.cancelled() => return Ok(Exit::Interrupted),
        }
    }
}

/// Prints what the record holds after entry `last`, and says which entry is the last one now.
async fn print_after(mut last: u64, job: &JobId, client: &Client, context: &Context) -> anyhow::Result<u64> {
    loop {
        let page = client.ask(&GetHistory { job_id: job.clone(), after: last }).await?;
        for entry in &page.entries {
            context.output.line(entry, || line(entry, &context.clock()))?;
            last = entry.seq;
        }
        if !page.more || page.entries.is_empty() {
            return Ok(last);
        }
    }
}

fn line(entry: &HistoryEntry, clock: &Clock) -> String {
    let sentence = Happening::read(&entry.event).map_or_else(|| entry.event.to_string(), |it| it.sentence());
    format!("{}  {sentence}", clock.moment(entry.at))
}
