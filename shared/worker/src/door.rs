//! The door between a run's thread and everything else.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use checkpoints::{ObjectStore, StoreError};
use contract::{
    Failure, StopCause, Timestamp,
    events::{Artifact, AttemptMetrics},
    lease::Progress,
};
use tokio::{runtime::Handle, time::Instant};

use crate::{
    Control, RunError, Snapshot, backoff::Backoff, checkpointer::Checkpointer, metrics_log::MetricsLog,
    run_state::RunState, teller::Teller,
};

/// How often the storing of an artifact is tried.
const ARTIFACT_TRIES: u32 = 5;

/// What a trainer holds as its [`Control`].
pub(crate) struct Door {
    pub(crate) run: Arc<RunState>,
    pub(crate) checkpointer: Arc<Checkpointer>,
    pub(crate) teller: Teller,
    pub(crate) metrics_log: MetricsLog,
    pub(crate) store: ObjectStore,
    pub(crate) runtime: Handle,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) checkpointed_at: Instant,
    pub(crate) artifacts: Vec<Artifact>,
}

impl Control for Door {
    fn report(&mut self, progress: Progress) {
        self.run.report(progress, Instant::now());
    }

    fn checkpoint_due(&self) -> bool {
        self.checkpoint_interval <= self.checkpointed_at.elapsed() && self.checkpointer.is_ready()
    }

    fn checkpoint(&mut self, snapshot: Snapshot) {
        self.checkpointed_at = Instant::now();
        if self.stop().is_none_or(StopCause::wants_checkpoint) {
            self.checkpointer.hand_over(snapshot);
        }
    }

    fn flush(&mut self) -> Result<(), RunError> {
        let _waiting = self.run.take_into_our_hands();
        self.runtime.block_on(self.checkpointer.flush())
    }

    fn stop(&self) -> Option<StopCause> {
        self.run.stop().map(|stop| stop.cause)
    }

    fn metrics(&mut self, step: u64, mut metrics: BTreeMap<String, f64>) {
        metrics.retain(|_, figure| figure.is_finite());
        if metrics.is_empty() {
            return;
        }
        if let Err(error) = self.metrics_log.append(step, &metrics) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the metrics file cannot be written");
        }
        let (job_id, attempt) = (self.run.job_id.clone(), self.run.attempt);
        let epoch = self.run.progress().epoch;
        self.teller.tell(&AttemptMetrics { job_id, attempt, step, epoch, metrics, at: Timestamp::now() });
    }

    fn note(&mut self, note: String) {
        tracing::info!(note, "the trainer notes");
        self.teller.note(&self.run, note);
    }

    fn artifact(&mut self, name: &str, file: &Path) -> Result<(), RunError> {
        let _waiting = self.run.take_into_our_hands();
        let artifact = self.runtime.block_on(self.store_artifact(name, file))?;
        self.artifacts.retain(|kept| kept.name != name);
        self.artifacts.push(artifact);
        Ok(())
    }
}

impl Door {
    async fn store_artifact(&self, name: &str, file: &Path) -> Result<Artifact, RunError> {
        let mut backoff = Backoff::new();
        let mut tries = 0;
        loop {
            if let Some(cause) = self.stop().filter(|cause| !cause.wants_checkpoint()) {
                return Err(RunError::Stopped(cause));
            }
            tries += 1;
            match self.store.put_artifact(&self.run.job_id, name, file).await {
                Ok(artifact) => return Ok(artifact),
                Err(StoreError::Io { .. } | StoreError::Full { .. }) if tries < ARTIFACT_TRIES => {
                    backoff.wait().await
                }
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    let text = format!("cannot keep {} as artifact {name:?}: {error:#}", file.display());
                    return Err(Failure::transient(text).into());
                }
            }
        }
    }
}
