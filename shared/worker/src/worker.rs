//! What the parts of a running worker share.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use broker::Broker;
use checkpoints::ObjectStore;
use contract::{Refused, lease::Hello};
use policy::FailureRule;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Trainer, gate::Gate, host_memory::HostMemory, meters::Meters, notice::Notice, runs::Runs};

/// One life of one worker's process.
pub(crate) struct Worker {
    /// Who this is and what it offers.
    pub(crate) hello: Hello,
    /// Where its offers come from.
    pub(crate) queue: String,
    pub(crate) broker: Broker,
    pub(crate) store: ObjectStore,
    pub(crate) trainer: Arc<dyn Trainer>,
    /// The folder of the jobs' own folders.
    pub(crate) run_folders: PathBuf,
    /// The folders below which jobs may read.
    pub(crate) data_roots: Vec<PathBuf>,
    /// What the operator knows of failures.
    pub(crate) failure_rules: Vec<FailureRule>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) meters: Meters,
    pub(crate) host_memory: HostMemory,
    pub(crate) gate: Gate,
    /// Why nothing is taken at present.
    pub(crate) paused: Mutex<Option<String>>,
    /// Cancelled when nothing more is taken and what runs is to be handed back.
    pub(crate) drain: CancellationToken,
    /// Whether the scheduler wants this worker to take nothing new for now.
    pub(crate) resting: watch::Sender<bool>,
    /// Whether a run's thread was left behind.
    pub(crate) abandoned: AtomicBool,
    /// What the cloud has said it will do to this machine.
    pub(crate) notice: OnceLock<Notice>,
    /// Why the scheduler does not take this worker any more.
    pub(crate) dismissed: OnceLock<Refused>,
}

impl Worker {
    /// A run's thread was left behind: the process hands back everything else and goes.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.drain.cancel();
    }

    /// The scheduler says whether this worker drains: what runs goes on, and no offers are taken.
    pub(crate) fn rest(&self, resting: bool) {
        let changes = self.resting.send_if_modified(|before| std::mem::replace(before, resting) != resting);
        match (changes, resting) {
            (true, true) => tracing::info!("this worker drains: it takes nothing new"),
            (true, false) => tracing::info!("this worker takes offers again"),
            (false, _) => {}
        }
    }

    /// Waits until this worker drains, or until it does not.
    pub(crate) async fn rests(&self, resting: bool) {
        // The sender lives as long as this does.
        let _ = self.resting.subscribe().wait_for(|now| *now == resting).await;
    }

    /// The scheduler does not take this worker any more: what runs is handed back, and the process goes.
    pub(crate) fn dismiss(&self, refused: Refused) {
        tracing::error!(why = refused.message, "the scheduler does not take this worker any more");
        // The first reason is the one to tell.
        let _ = self.dismissed.set(refused);
        self.drain.cancel();
    }

    /// This machine is about to be taken away: as after SIGTERM, nothing more is taken, and what runs is handed back.
    pub(crate) fn preempt(&self, notice: Notice) {
        tracing::warn!(%notice, "this machine is about to go: handing back what runs");
        let _ = self.notice.set(notice);
        self.drain.cancel();
    }

    pub(crate) fn paused(&self) -> MutexGuard<'_, Option<String>> {
        self.paused.lock().expect("nothing panics while it holds the reason")
    }

    pub(crate) fn has_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }
}
