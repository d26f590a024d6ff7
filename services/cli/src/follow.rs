//! Waiting for a job to end, and telling what happens meanwhile.

use std::time::Duration;

use broker::{Consumer, Delivery, RequestError};
use contract::{
    JobId,
    control::{GetJob, JobView},
    lease::Progress,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    client::Client,
    output::tell as tell_person,
    text::{figure, happening::Happening, length, remaining},
};

/// How often the scheduler is asked, in case an event got lost while the line to the broker was cut.
const ASK_INTERVAL: Duration = Duration::from_secs(5);

/// Sees a job through.
pub(crate) trait Watcher {
    /// Something happened to it.
    fn event(&mut self, event: &Value) -> anyhow::Result<()>;

    /// The scheduler was asked where it stands, and it has not ended.
    fn seen(&mut self, job: &JobView);
}

/// How waiting ended.
#[derive(Debug)]
pub(crate) enum Waited {
    /// The job is over.
    Ended(Box<JobView>),
    /// The person at the terminal has enough of it; the job goes on.
    Interrupted,
}

/// The keys of a job's events.
pub(crate) fn keys_of(job: &JobId) -> String {
    format!("*.{job}.#")
}

/// Passes what happens to `job` on to `watcher` until it has ended or `stop` says so. Listen before the job can end:
/// `events` are those since then.
pub(crate) async fn until_the_end(
    client: &Client,
    job: &JobId,
    mut events: Consumer,
    watcher: &mut impl Watcher,
    stop: &CancellationToken,
) -> anyhow::Result<Waited> {
    let mut ask = tokio::time::interval(ASK_INTERVAL);
    let mut absence = Absence::default();
    let watching = async {
        loop {
            let look = tokio::select! {
                Some(delivery) = events.next() => tell(&delivery, watcher)?,
                _ = ask.tick() => true,
            };
            if !look {
                continue;
            }
            let view = absence.bear(client.ask(&GetJob { job_id: job.clone() }).await)?;
            match view {
                Some(view) if view.state.is_end() => return anyhow::Ok(Waited::Ended(Box::new(view))),
                Some(view) => watcher.seen(&view),
                None => {}
            }
        }
    };
    stop.run_until_cancelled(watching).await.unwrap_or(Ok(Waited::Interrupted))
}

/// A scheduler or a broker that does not answer while something is waited for: it will be back, and the wait goes on.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    is_told: bool,
}

impl Absence {
    /// The answer, or nothing where waiting may mend it, said once.
    ///
    /// # Errors
    /// What waiting cannot mend.
    pub(crate) fn bear<T>(&mut self, answer: Result<T, RequestError>) -> Result<Option<T>, RequestError> {
        match answer {
            Ok(answer) => {
                self.is_told = false;
                Ok(Some(answer))
            }
            Err(error @ (RequestError::TimedOut { .. } | RequestError::Publish { .. })) => {
                if !std::mem::replace(&mut self.is_told, true) {
                    tell_person(&format!("{error}; waiting on"));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Passes one event on; whether it is the last one.
pub(crate) fn tell(delivery: &Delivery, watcher: &mut impl Watcher) -> anyhow::Result<bool> {
    // What is no JSON is nobody's event; the scheduler's copy of it lies in the dead letters.
    let Ok(event) = serde_json::from_slice::<Value>(&delivery.body) else { return Ok(false) };
    watcher.event(&event)?;
    Ok(matches!(Happening::read(&event), Some(Happening::JobEnded(_))))
}

/// A bar on stderr, with what happens above it as lines.
#[derive(Debug)]
pub(crate) struct ProgressDisplay {
    bar: ProgressBar,
}

impl ProgressDisplay {
    /// A bar that nothing is known of yet. Where stderr is no terminal there are only the lines.
    pub(crate) fn start() -> Self {
        let bar = ProgressBar::no_length();
        bar.set_style(waiting_style());
        bar.set_message("waits for its first step");
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    fn progress(&self, progress: &Progress) {
        if let Some(total) = progress.steps_total.filter(|_| self.bar.length().is_none()) {
            self.bar.set_style(running_style());
            self.bar.set_length(total);
        }
        self.bar.set_position(progress.step);
        self.bar.set_message(figures(progress));
    }

    fn line(&self, line: &str) {
        // Not the bar's own `println`, which says nothing where the bar is hidden.
        self.bar.suspend(|| tell_person(line));
    }
}

impl Watcher for ProgressDisplay {
    fn event(&mut self, event: &Value) -> anyhow::Result<()> {
        match Happening::read(event) {
            Some(Happening::Progress(event)) => self.progress(&event.progress),
            // The bar shows checkpoints by moving on, and whoever waits for the end tells of it.
            Some(Happening::Checkpointed(_) | Happening::JobEnded(_)) | None => {}
            Some(event) => self.line(&event.sentence()),
        }
        Ok(())
    }

    fn seen(&mut self, job: &JobView) {
        if let Some(waiting) = &job.waiting {
            self.bar.set_message(format!("waits: {}", waiting.detail));
        }
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn waiting_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("the template is valid")
}

fn running_style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}").expect("the template is valid")
}

/// `loss 0.4375, 12.5 steps/s, 23s left`.
fn figures(progress: &Progress) -> String {
    let loss = progress.loss.map(|loss| format!("loss {}", figure(loss)));
    let rate = progress.steps_per_second.map(|rate| format!("{rate:.1} steps/s"));
    let rest = remaining(progress).map(|rest| format!("{} left", length(rest)));
    [loss, rate, rest].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
