//! What an attempt needs before it computes: its folder, the right to write, and the state to go on from.

use std::time::Duration;

use broker::RequestError;
use checkpoints::{FIRST_TOKEN, StoreError};
use contract::{
    Failure, Refusal, StopCause,
    checkpoints::{Manifest, OpenHistory, OpenedHistory},
    events::AttemptEnd,
};

use tracing::{Instrument, Span};

use super::Attempt;
use crate::{Resume, Run, backoff::Backoff, outcome};

/// How long the checkpoint-store may take to read the newest checkpoint.
const OPEN: Duration = Duration::from_secs(120);
/// How often a checkpoint is fetched until the attempt is left to another time or machine.
const FETCH_TRIES: u32 = 5;

impl Attempt {
    /// The run, ready to go, and the checkpoints that were passed over because they are damaged.
    ///
    /// # Errors
    /// The attempt's end, when it comes to nothing.
    pub(super) async fn prepare(&self) -> Result<(Run, Vec<String>), AttemptEnd> {
        // However long the services are away, it is not the trainer that hangs.
        let _waiting = self.run.take_into_our_hands();
        let mut stops = self.run.stops();
        tokio::select! {
            biased;
            Ok(stop) = stops.wait_for(Option::is_some) => {
                let cause = stop.map_or(StopCause::Superseded, |stop| stop.cause);
                Err(outcome::stopped(cause, Some("it had not begun")))
            }
            prepared = self.make_ready().instrument(self.run.in_trace(self.prepare_span())) => prepared,
        }
    }

    fn prepare_span(&self) -> Span {
        tracing::info_span!("prepare", job.id = %self.grant.job_id, job.attempt = self.grant.attempt)
    }

    async fn make_ready(&self) -> Result<(Run, Vec<String>), AttemptEnd> {
        let folder = self.worker.run_folders.join(self.grant.job_id.as_str());
        tokio::fs::create_dir_all(&folder).await.map_err(|error| {
            failed(Failure::transient(format!("cannot make the run's folder {}: {error}", folder.display())))
        })?;

        let opened = self.open_history().await?;
        let latest = opened.latest.filter(|manifest| self.grant.fresh_after < manifest.token);
        let resume = match latest {
            Some(manifest) => Some(self.fetch(manifest).await?),
            None => None,
        };
        if let Some(resume) = &resume {
            self.run.resume_from(resume.manifest.step);
        }
        let data_roots = self.worker.data_roots.clone();
        Ok((Run { grant: self.grant.clone(), resume, folder, data_roots }, opened.damaged))
    }

    /// Opens the job's history under this attempt's token, however long the checkpoint-store is away. The first attempt
    /// has nothing to go on from: its first commit opens the history.
    async fn open_history(&self) -> Result<OpenedHistory, AttemptEnd> {
        if self.grant.attempt == FIRST_TOKEN {
            return Ok(OpenedHistory { latest: None, damaged: Vec::new() });
        }
        let open = OpenHistory { job_id: self.grant.job_id.clone(), token: self.grant.attempt };
        let mut backoff = Backoff::new();
        loop {
            match self.worker.broker.request(&open, OPEN).await {
                Ok(opened) => return Ok(opened),
                Err(RequestError::Refused(refused)) if refused.reason == Refusal::Fenced => {
                    return Err(AttemptEnd::Superseded);
                }
                Err(RequestError::Refused(refused)) if refused.reason != Refusal::Unavailable => {
                    let text = format!("the history cannot be opened: {}", refused.message);
                    return Err(failed(Failure::transient(text)));
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the checkpoint-store does not answer; asking again"
                    );
                    backoff.wait().await;
                }
            }
        }
    }

    async fn fetch(&self, manifest: Manifest) -> Result<Resume, AttemptEnd> {
        let mut backoff = Backoff::new();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.worker.store.fetch(&manifest).await {
                Ok(path) => return Ok(Resume { path, manifest }),
                Err(StoreError::Io { .. }) if tries < FETCH_TRIES => backoff.wait().await,
                Err(error) => {
                    let text =
                        format!("the checkpoint of step {}: {:#}", manifest.step, anyhow::Error::from(error));
                    return Err(failed(Failure::transient(text)));
                }
            }
        }
    }

    /// Removes the run's folder where nothing was put into it.
    pub(super) async fn clean_up(&self) {
        let folder = self.worker.run_folders.join(self.grant.job_id.as_str());
        // One with something in it is not removed; that is what is wanted.
        let _ = tokio::fs::remove_dir(folder).await;
    }
}

fn failed(failure: Failure) -> AttemptEnd {
    AttemptEnd::Failed(failure)
}
