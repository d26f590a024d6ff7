//! One state's way into the history: written, uploaded, committed.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use broker::RequestError;
use checkpoints::Uploaded;
use contract::{Refusal, Timestamp, checkpoints::CommitCheckpoint, events::AttemptCheckpointed};
use tokio::time::Instant;

use super::Checkpointer;
use crate::{Snapshot, Write, outcome::shorten, thread::on_thread};

/// How long the checkpoint-store may take to read and commit a file.
const COMMIT: Duration = Duration::from_secs(120);

/// A state that is on its way.
pub(super) struct Writing<'run> {
    checkpointer: &'run Checkpointer,
    step: u64,
    pause: Duration,
    commit: CommitCheckpoint,
    write: Arc<Mutex<Write>>,
    uploaded: bool,
    since: Instant,
}

/// Why a state is not in the history.
pub(super) enum NotKept {
    /// The history belongs to a newer attempt.
    Overtaken(String),
    /// A later one is in it already.
    TooLate(String),
    /// Trying again may mend it.
    Trouble(String),
}

impl<'run> Writing<'run> {
    pub(super) fn of(checkpointer: &'run Checkpointer, snapshot: Snapshot) -> Self {
        let Snapshot { step, role, mut metrics, pause, write } = snapshot;
        metrics.retain(|_, figure| figure.is_finite());
        let commit = CommitCheckpoint {
            job_id: checkpointer.run.job_id.clone(),
            token: checkpointer.run.attempt,
            step,
            role,
            key: String::new(),
            bytes: 0,
            blake3: String::new(),
            metrics,
        };
        let write = Arc::new(Mutex::new(write));
        Self { checkpointer, step, pause, commit, write, uploaded: false, since: Instant::now() }
    }

    /// Goes as far as it can. What is uploaded already is not written again.
    pub(super) async fn attempt(&mut self) -> Result<AttemptCheckpointed, NotKept> {
        if !self.uploaded {
            let uploaded =
                self.upload().await.map_err(|error| NotKept::Trouble(shorten(format!("{error:#}"))))?;
            (self.commit.key, self.commit.bytes, self.commit.blake3) =
                (uploaded.key, uploaded.bytes, uploaded.blake3);
            self.uploaded = true;
        }
        match self.checkpointer.worker.broker.request(&self.commit, COMMIT).await {
            Ok(_) => Ok(self.checkpointed()),
            Err(error) => Err(self.not_committed(error)),
        }
    }

    async fn upload(&self) -> anyhow::Result<Uploaded> {
        let store = &self.checkpointer.worker.store;
        let staged = store.stage(&self.commit.job_id, self.commit.token, self.step).await?;
        self.write(&staged.path).await?;
        Ok(store.upload(staged).await?)
    }

    async fn write(&self, path: &Path) -> anyhow::Result<()> {
        let (write, to) = (self.write.clone(), path.to_owned());
        let written = on_thread("checkpoint", move || {
            let mut write = write.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            write(&to)
        });
        written.await?.with_context(|| format!("cannot write {}", path.display()))
    }

    fn not_committed(&mut self, error: RequestError) -> NotKept {
        match error {
            RequestError::Refused(refused) if refused.reason == Refusal::Fenced => {
                NotKept::Overtaken(refused.message)
            }
            RequestError::Refused(refused) if refused.reason == Refusal::Conflict => {
                NotKept::TooLate(refused.message)
            }
            RequestError::Refused(refused) if refused.reason != Refusal::Unavailable => {
                // The bytes are not what was said of them, or are gone: they have to be written anew.
                self.uploaded = false;
                NotKept::Trouble(refused.message)
            }
            error => NotKept::Trouble(shorten(format!("{:#}", anyhow::Error::from(error)))),
        }
    }

    fn checkpointed(&self) -> AttemptCheckpointed {
        AttemptCheckpointed {
            job_id: self.commit.job_id.clone(),
            attempt: self.commit.token,
            step: self.step,
            bytes: self.commit.bytes,
            pause: self.pause.into(),
            took: self.since.elapsed().into(),
            at: Timestamp::now(),
        }
    }
}
