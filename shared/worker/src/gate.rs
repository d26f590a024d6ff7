//! Whether a slot may take work: not while others hold the memory of the GPU.

use std::{path::PathBuf, sync::Arc, time::Duration};

use broker::RequestError;
use contract::{Refusal, lease::Hello};
use tokio::time::sleep;

use crate::{
    gpu_memory::{GpuMemory, Ours, judge, siblings},
    thread::on_thread,
    worker::Worker,
};

/// How often a GPU is looked at whose memory others hold.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the scheduler may take to hear of it.
const ANSWER: Duration = Duration::from_secs(5);

/// Tells of the memory of the GPU that a worker offers; `None` where that cannot be told.
pub type Probe = Arc<dyn Fn() -> Option<GpuMemory> + Send + Sync>;

/// What a worker's slots pass before they take work.
pub(crate) struct Gate {
    /// Without one the gate is always open.
    pub(crate) probe: Option<Probe>,
    /// How much of the memory of the class that is offered a run may take.
    pub(crate) promised_mib: Option<u64>,
    /// The folder of the lock files of this machine's workers.
    pub(crate) locks: PathBuf,
}

impl Gate {
    /// Who holds the memory, in words; `None` if there is enough.
    async fn held(&self, has_run: bool) -> Option<String> {
        let probe = self.probe.clone()?;
        let (promised_mib, locks) = (self.promised_mib, self.locks.clone());
        // The driver may take its time.
        let judged = on_thread("gpu-memory", move || {
            let ours = Ours { pid: std::process::id(), siblings: siblings(&locks), has_run };
            judge(&probe()?, &ours, promised_mib).err()
        });
        judged.await.ok()?.map(|held| held.to_string())
    }
}

impl Worker {
    /// Whether others leave enough of the GPU's memory free for a run.
    pub(crate) async fn is_gpu_free(&self) -> bool {
        self.gate.held(self.runs.has_run()).await.is_none()
    }

    /// Waits until they do, and tells the scheduler meanwhile that nothing is taken; `None` when the worker drains.
    pub(crate) async fn wait_for_gpu(&self) -> Option<()> {
        loop {
            let held = self.gate.held(self.runs.has_run()).await;
            let is_free = held.is_none();
            self.pause(held).await;
            if is_free {
                return Some(());
            }
            self.drain.run_until_cancelled(sleep(AGAIN)).await?;
        }
    }

    /// Tells why nothing is taken, or that work is taken again, if that is news.
    async fn pause(&self, why: Option<String>) {
        if *self.paused() == why {
            return;
        }
        match &why {
            Some(why) => tracing::warn!(why, "taking no work; looking again until that has changed"),
            None => tracing::info!("taking work again"),
        }
        *self.paused() = why;
        self.introduce_again(ANSWER).await;
    }

    /// What this worker says of itself now.
    fn introduction(&self) -> Hello {
        Hello { paused: self.paused().clone(), ..self.hello.clone() }
    }

    /// Says hello again, after it was forgotten or because something has changed.
    pub(crate) async fn introduce_again(&self, patience: Duration) {
        match self.broker.request(&self.introduction(), patience).await {
            Ok(welcome) => self.rest(welcome.draining),
            Err(RequestError::Refused(refused)) if refused.reason != Refusal::Unavailable => {
                self.dismiss(refused);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the scheduler does not answer the introduction"
                );
            }
        }
    }
}
