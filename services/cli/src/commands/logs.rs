//! `rekindle logs`: what has happened to a job.

use std::time::Duration;

use broker::RequestError;
use contract::{
    JobId,
    control::{GetHistory, GetJob, HistoryEntry},
};
use settings::stop_on_signal;

use crate::{
    client::Client,
    context::Context,
    exit::Exit,
    follow::{Absence, keys_of},
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
    print(&entries_after(0, &job, &client).await?, context)?;
    Ok(Exit::Success)
}

/// Events only say when to look: the scheduler's record is the one that is printed, so that nothing is printed twice
/// or left out.
async fn follow(job: &JobId, client: &Client, context: &Context) -> anyhow::Result<Exit> {
    let stop = stop_on_signal()?;
    let mut events = client.listen(&[&keys_of(job)]).await?;
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    let mut absence = Absence::default();
    let following = async {
        let mut printed = 0;
        loop {
            tokio::select! {
                Some(_) = events.next() => {}
                _ = look.tick() => {}
            }
            let state = async {
                // The state first: once it is an end, what is read after it is complete.
                let state = client.ask(&GetJob { job_id: job.clone() }).await?.state;
                Ok((state, entries_after(printed, job, client).await?))
            };
            let Some((state, entries)) = absence.bear(state.await)? else { continue };
            printed = entries.last().map_or(printed, |entry| entry.seq);
            print(&entries, context)?;
            if state.is_end() {
                return Ok(Exit::Success);
            }
        }
    };
    stop.run_until_cancelled(following).await.unwrap_or(Ok(Exit::Interrupted))
}

/// What the record holds after entry `last`.
async fn entries_after(
    mut last: u64,
    job: &JobId,
    client: &Client,
) -> Result<Vec<HistoryEntry>, RequestError> {
    let mut entries = Vec::new();
    loop {
        let page = client.ask(&GetHistory { job_id: job.clone(), after: last }).await?;
        let Some(newest) = page.entries.last() else { return Ok(entries) };
        last = newest.seq;
        entries.extend(page.entries);
        if !page.more {
            return Ok(entries);
        }
    }
}

fn print(entries: &[HistoryEntry], context: &Context) -> anyhow::Result<()> {
    for entry in entries {
        context.output.line(entry, || line(entry, &context.clock()))?;
    }
    Ok(())
}

fn line(entry: &HistoryEntry, clock: &Clock) -> String {
    let sentence = Happening::read(&entry.event).map_or_else(|| entry.event.to_string(), |it| it.sentence());
    format!("{}  {sentence}", clock.moment(entry.at))
}
