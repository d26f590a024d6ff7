//! Writes a run's states beside its training and has them committed, one after another.

mod backlog;
mod keep;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use contract::{Failure, checkpoints::CheckpointRole};
use tokio::{sync::watch, time::Instant};
use tracing::{Instrument, Span};

use crate::{
    RunError, Snapshot, backoff::Backoff, overseer::plus, run_state::RunState, teller::Teller, worker::Worker,
};
use backlog::Backlog;
use keep::{NotKept, Writing};

/// How long a run waits at its end for what could not be kept yet, such as while the broker restarts.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// One run's writer.
pub(crate) struct Checkpointer {
    worker: Arc<Worker>,
    run: Arc<RunState>,
    teller: Teller,
    grace: Duration,
    backlog: Mutex<Backlog>,
    status: watch::Sender<Status>,
}

#[derive(Debug, Default)]
struct Status {
    waiting: usize,
    writing: Option<u64>,
    trouble: Option<String>,
}

impl Status {
    fn is_idle(&self) -> bool {
        self.waiting == 0 && self.writing.is_none()
    }
}

impl Checkpointer {
    pub(crate) fn new(worker: Arc<Worker>, run: Arc<RunState>, teller: Teller, grace: Duration) -> Self {
        let (backlog, status) = Default::default();
        Self { worker, run, teller, grace, backlog, status: watch::Sender::new(status) }
    }

    /// Whether another state would be written soon: nothing is being written, or it has been failing and a newer one
    /// may take its place.
    pub(crate) fn is_ready(&self) -> bool {
        let status = self.status.borrow();
        status.waiting == 0 && (status.writing.is_none() || status.trouble.is_some())
    }

    /// Takes a state to be written.
    pub(crate) fn hand_over(&self, snapshot: Snapshot) {
        let mut backlog = self.backlog.lock().expect("nothing panics while it holds the backlog");
        let replaced = backlog.push(snapshot);
        self.status.send_modify(|status| status.waiting = backlog.len());
        drop(backlog);
        if let Some(replaced) = replaced {
            tracing::debug!(step = replaced.step, "a newer state takes the place of one not yet written");
        }
    }

    /// Waits until everything handed over is committed.
    ///
    /// # Errors
    /// When the run must not write any more, or trouble lasts too long.
    pub(crate) async fn flush(&self) -> Result<(), RunError> {
        let mut status = self.status.subscribe();
        let mut stops = self.run.stops();
        let forbidden = stops.wait_for(|stop| stop.is_some_and(|stop| !stop.cause.wants_checkpoint()));
        tokio::select! {
            biased;
            stop = forbidden => {
                let stop = stop.ok().and_then(|stop| *stop).expect("the run's state outlives its writer");
                Err(RunError::Stopped(stop.cause))
            }
            _ = status.wait_for(Status::is_idle) => Ok(()),
            () = self.patience() => Err(self.not_flushed().into()),
        }
    }

    /// Ends when it makes no sense to wait any longer. The last fifth of the grace time is for the good-bye.
    async fn patience(&self) {
        let started = Instant::now();
        let patience_once_stopped = self.grace / 5 * 4;
        let mut stops = self.run.stops();
        loop {
            let stop = *stops.borrow_and_update();
            let until = stop.map_or(started + FLUSH_PATIENCE, |stop| plus(stop.since, patience_once_stopped));
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                Ok(()) = stops.changed() => {}
            }
        }
    }

    fn not_flushed(&self) -> Failure {
        let status = self.status.borrow();
        let step = status.writing.unwrap_or_default();
        let trouble = status.trouble.as_deref().unwrap_or("it takes too long");
        Failure::transient(format!("the checkpoint of step {step} could not be kept: {trouble}"))
    }

    /// Writes what is handed over, until the run is over or its history belongs to a newer attempt.
    pub(crate) async fn work(self: Arc<Self>) {
        let mut status = self.status.subscribe();
        while status.wait_for(|status| 0 < status.waiting).await.is_ok() {
            let Some(snapshot) = self.take() else { continue };
            let span = self.span(snapshot.step);
            if !self.keep(snapshot).instrument(span).await {
                return;
            }
            self.status.send_modify(|status| (status.writing, status.trouble) = (None, None));
        }
    }

    fn span(&self, step: u64) -> Span {
        let RunState { job_id, attempt, .. } = &*self.run;
        self.run.in_trace(tracing::info_span!("checkpoint", job.id = %job_id, job.attempt = *attempt, step))
    }

    fn take(&self) -> Option<Snapshot> {
        let mut backlog = self.backlog.lock().expect("nothing panics while it holds the backlog");
        let snapshot = backlog.pop()?;
        self.status.send_modify(|status| {
            status.waiting = backlog.len();
            status.writing = Some(snapshot.step);
        });
        Some(snapshot)
    }

    /// Tries until the state is committed, or a newer one can take its place. Whether the run may still write.
    async fn keep(&self, snapshot: Snapshot) -> bool {
        let (role, step) = (snapshot.role, snapshot.step);
        let mut writing = Writing::of(self, snapshot);
        let mut backoff = Backoff::new();
        loop {
            match writing.attempt().await {
                Ok(checkpointed) => {
                    self.run.committed(step);
                    tracing::info!(bytes = checkpointed.bytes, "committed");
                    self.worker.meters.checkpointed(&checkpointed);
                    self.teller.tell(&checkpointed);
                    return true;
                }
                Err(NotKept::Overtaken(why)) => {
                    tracing::warn!(why, "a newer attempt holds this job's history");
                    self.run.request_stop(contract::StopCause::Superseded);
                    return false;
                }
                Err(NotKept::TooLate(why)) => {
                    tracing::warn!(why, "a checkpoint comes too late");
                    return true;
                }
                Err(NotKept::Trouble(trouble)) => self.note_trouble(step, trouble),
            }
            backoff.wait().await;
            if role == CheckpointRole::Periodic && 0 < self.status.borrow().waiting {
                tracing::info!("a newer state takes the place of one that could not be kept");
                return true;
            }
        }
    }

    /// Tells of trouble once, not at each try.
    fn note_trouble(&self, step: u64, trouble: String) {
        tracing::warn!(trouble, "a checkpoint could not be kept; trying again");
        let first = self.status.borrow().trouble.is_none();
        self.status.send_modify(|status| status.trouble = Some(trouble.clone()));
        if first {
            self.teller.note(
                &self.run,
                format!("the checkpoint of step {step} could not be kept ({trouble}); training goes on and it is tried again"),
            );
        }
    }
}
