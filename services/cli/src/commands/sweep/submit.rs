//! `rekindle sweep submit`: asks for a sweep, and waits for its end where that is wanted.

use std::{path::Path, time::Duration};

use contract::{
    SweepId, SweepView,
    sweep::{GetSweep, SweepState},
};
use settings::stop_on_signal;

use super::{describe, in_a_line, whole};
use crate::{client::Client, context::Context, exit::Exit, follow::Absence, output::tell, sweep_file};

/// How long the scheduler may take to take a sweep in.
const SUBMIT_LIMIT: Duration = Duration::from_secs(15);
/// How often the scheduler is asked how far it is.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(
    file: &Path,
    id: Option<SweepId>,
    wait: bool,
    context: &Context,
) -> anyhow::Result<Exit> {
    let submission = sweep_file::read(file, id)?;
    let client = context.connect().await?;
    let view = client.ask_within(SUBMIT_LIMIT, &submission).await?;
    if !wait {
        context.output.answer(&view.summary, || in_a_line(&view.summary))?;
        return Ok(Exit::Success);
    }
    let stop = stop_on_signal()?;
    let sweep_id = view.summary.sweep_id;
    let Some(ended) = stop.run_until_cancelled(until_the_end(&client, &sweep_id)).await else {
        tell(&format!(
            "sweep {sweep_id} goes on; `rekindle sweep show {sweep_id}` shows it, `rekindle sweep cancel {sweep_id}` \
             ends it"
        ));
        return Ok(Exit::Interrupted);
    };
    let view = ended?;
    context.output.answer(&view, || describe(&view, &context.clock()))?;
    Ok(if view.summary.state == SweepState::Finished { Exit::Success } else { Exit::Unsuccessful })
}

/// Tells each change in a line until the sweep has ended.
async fn until_the_end(client: &Client, sweep_id: &SweepId) -> anyhow::Result<SweepView> {
    let mut ask = tokio::time::interval(ASK_INTERVAL);
    let mut absence = Absence::default();
    let mut told = String::new();
    loop {
        ask.tick().await;
        // The summary is all that matters here: no trial comes after the last possible number.
        let question = GetSweep { sweep_id: sweep_id.clone(), after: u32::MAX };
        let Some(view) = absence.bear(client.ask(&question).await)? else { continue };
        if view.summary.state.is_end() {
            return whole(client, sweep_id).await;
        }
        let line = in_a_line(&view.summary);
        if line != told {
            tell(&line);
            told = line;
        }
    }
}
