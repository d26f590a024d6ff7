//! One attempt, from its grant until the broker has its end.

mod prepare;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use contract::{
    Failure, MAX_MESSAGE_BYTES, StopCause, Timestamp,
    events::{AttemptEnd, AttemptEnded, AttemptStarted, RunResult},
    lease::Grant,
};
use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{Instrument, Span};

use crate::{
    Run, RunError,
    checkpointer::Checkpointer,
    door::Door,
    meters,
    metrics_log::MetricsLog,
    outcome,
    overseer::{Look, Overseer},
    run_state::RunState,
    runs::Listed,
    teller::{self, Teller},
    thread::{Died, on_thread},
    worker::Worker,
};

/// How long a worker that was told to stop goes on trying to have an end published.
const LAST_WORDS: Duration = Duration::from_secs(15);
/// How long a state that was handed over before a failure may still take to be committed.
const COURTESY: Duration = Duration::from_secs(30);

/// What a run's thread came to.
type Returned = Result<Result<RunResult, RunError>, Died>;

/// An attempt that this worker holds the lease of.
pub(crate) struct Attempt {
    worker: Arc<Worker>,
    grant: Grant,
    run: Arc<RunState>,
    listed: Listed,
    granted_at: Instant,
    on_thread: AtomicBool,
}

impl Attempt {
    /// Takes up what was granted; `None` when this process has done so before. From here on the heartbeats tell of it,
    /// so that the lease holds.
    pub(crate) fn begin(worker: Arc<Worker>, grant: Grant, offer_trace: Option<String>) -> Option<Self> {
        let run = RunState::new(grant.job_id.clone(), grant.attempt).offered_in(offer_trace);
        let run = Arc::new(run);
        let listed = worker.runs.begin(run.clone())?;
        let granted_at = Instant::now();
        Some(Self { worker, grant, run, listed, granted_at, on_thread: AtomicBool::new(false) })
    }

    /// The span of everything that belongs to the attempt.
    pub(crate) fn span(&self) -> Span {
        let (job_id, attempt, worker) = (&self.grant.job_id, self.grant.attempt, &self.worker.hello.worker);
        let span =
            tracing::info_span!("attempt", job.id = %job_id, job.attempt = attempt, worker.id = %worker);
        self.run.in_trace(span)
    }

    /// Runs it and has its end published.
    pub(crate) async fn run(self) {
        let (teller, telling) = teller::channel();
        let run = async {
            let end = self.overseen(&teller).await;
            teller.tell_last(&self.ended(end)).await;
            // From here on only the publishing counts; it is given up when the worker has to leave.
            self.worker.drain.cancelled().await;
            sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = telling.publish(&self.worker.broker) => {}
            () = run => tracing::error!("the broker was away, and the end of the run could not be published"),
        }
        drop(self.listed);
    }

    /// The attempt's end, however it comes about.
    async fn overseen(&self, teller: &Teller) -> AttemptEnd {
        let end = tokio::select! {
            biased;
            end = self.work(teller) => end,
            end = self.oversee() => {
                // Whatever the thread does from now on stops at its door.
                self.run.request_stop(StopCause::Superseded);
                if self.on_thread.load(Ordering::Relaxed) {
                    tracing::error!("the run's thread does not end; this process will have to");
                    self.worker.abandon();
                }
                end
            }
        };
        let end = match self.worker.notice.get() {
            Some(notice) => outcome::because_of(notice, end),
            None => end,
        };
        // After anything else a newer attempt may be at work in the same folder, for another worker of this machine.
        if matches!(end, AttemptEnd::Succeeded(_)) {
            self.clean_up().await;
        }
        end
    }

    /// Asks the run to stop when it must; ends when it has to be given up.
    async fn oversee(&self) -> AttemptEnd {
        let mut overseer = Overseer::new(&self.grant, self.granted_at);
        let mut stops = self.run.stops();
        let mut drained = false;
        loop {
            match overseer.look(Instant::now(), self.run.signs()) {
                Look::Stop(cause) => self.run.request_stop(cause),
                Look::GiveUp(end) => return end,
                Look::Well(next) => tokio::select! {
                    biased;
                    failure = self.worker.host_memory.exceeded() => return AttemptEnd::Failed(failure),
                    () = sleep_until(next) => {}
                    Ok(()) = stops.changed() => {}
                    () = self.worker.drain.cancelled(), if !drained => {
                        drained = true;
                        self.run.request_stop(StopCause::Preempted);
                    }
                },
            }
        }
    }

    async fn work(&self, teller: &Teller) -> AttemptEnd {
        let (run, damaged) = match self.prepare().await {
            Ok(prepared) => prepared,
            Err(end) => return end,
        };
        teller.tell(&self.started(damaged));

        let checkpointer = Arc::new(Checkpointer::new(
            self.worker.clone(),
            self.run.clone(),
            teller.clone(),
            self.grant.grace.to_duration(),
        ));
        let mut writer = JoinSet::new();
        writer.spawn(checkpointer.clone().work().in_current_span());

        let door = self.door(&run, checkpointer.clone(), teller.clone());
        let returned = self.train(run, door).await;
        let _waiting = self.run.take_into_our_hands();
        let returned = match returned {
            Ok(Ok(result)) => Ok(checkpointer.flush().await.map(|()| result)),
            failed => {
                // The next attempt goes on from the last state that can be had.
                let _ = timeout(COURTESY, checkpointer.flush()).await;
                failed
            }
        };
        let asked = self.run.stop().map(|stop| stop.cause);
        outcome::end_of(returned, asked, &self.worker.failure_rules)
    }

    fn door(&self, run: &Run, checkpointer: Arc<Checkpointer>, teller: Teller) -> Door {
        Door {
            run: self.run.clone(),
            checkpointer,
            teller,
            metrics_log: MetricsLog::new(&run.folder, self.grant.attempt),
            store: self.worker.store.clone(),
            runtime: Handle::current(),
            checkpoint_interval: self.grant.checkpoint_interval.to_duration(),
            checkpointed_at: Instant::now(),
            artifacts: Vec::new(),
        }
    }

    async fn train(&self, run: Run, mut door: Door) -> Returned {
        let trainer = self.worker.trainer.clone();
        self.on_thread.store(true, Ordering::Relaxed);
        let returned = on_thread("train", move || {
            let mut result = trainer.run(&run, &mut door)?;
            result.artifacts.append(&mut door.artifacts);
            Ok(result)
        });
        let returned = returned.await;
        self.on_thread.store(false, Ordering::Relaxed);
        returned
    }

    fn started(&self, damaged: Vec<String>) -> AttemptStarted {
        AttemptStarted {
            job_id: self.grant.job_id.clone(),
            attempt: self.grant.attempt,
            worker: self.worker.hello.worker.clone(),
            resumed_from_step: self.run.resumed_from(),
            damaged,
            at: Timestamp::now(),
        }
    }

    fn ended(&self, end: AttemptEnd) -> AttemptEnded {
        let failure = match &end {
            AttemptEnd::Failed(failure) => Some(failure.to_string()),
            _ => None,
        };
        tracing::info!(end = meters::name_of(&end), failure, "the attempt is over");
        self.worker.meters.ended(&end);
        let mut ended = AttemptEnded {
            job_id: self.grant.job_id.clone(),
            attempt: self.grant.attempt,
            worker: self.worker.hello.worker.clone(),
            incarnation: self.worker.hello.incarnation,
            end,
            progress: self.run.progress(),
            resumed_from_step: self.run.resumed_from(),
            at: Timestamp::now(),
        };
        let bytes = contract::encode(&ended).len();
        if MAX_MESSAGE_BYTES < bytes {
            ended.end = AttemptEnd::Failed(Failure::permanent(format!(
                "the run's result takes {bytes} bytes as a message; at most {MAX_MESSAGE_BYTES} can be told"
            )));
        }
        ended
    }
}
