//! What is known of one run, shared by its thread, its overseer and the heartbeats.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use contract::{
    JobId, StopCause,
    lease::{Progress, RunReport},
};
use tokio::{sync::watch, time::Instant};
use tracing::Span;

use crate::{overseer::Signs, stop_request::StopRequest, throughput::Throughput};

/// One run, from the grant until the broker has its end.
#[derive(Debug)]
pub(crate) struct RunState {
    pub(crate) job_id: JobId,
    pub(crate) attempt: u32,
    offer_trace: Option<String>,
    tracked: Mutex<Tracked>,
    stop: watch::Sender<Option<StopRequest>>,
    in_our_hands: AtomicBool,
}

#[derive(Debug)]
struct Tracked {
    progress: Progress,
    resumed_from: u64,
    throughput: Throughput,
    reported_at: Instant,
    moved_limit: Option<(Duration, StopCause)>,
}

impl RunState {
    pub(crate) fn new(job_id: JobId, attempt: u32) -> Self {
        let tracked = Tracked {
            progress: Progress::default(),
            resumed_from: 0,
            throughput: Throughput::default(),
            reported_at: Instant::now(),
            moved_limit: None,
        };
        Self {
            job_id,
            attempt,
            offer_trace: None,
            tracked: Mutex::new(tracked),
            stop: watch::Sender::new(None),
            in_our_hands: AtomicBool::new(false),
        }
    }

    /// The same as part of the trace of its offer.
    pub(crate) fn offered_in(self, offer_trace: Option<String>) -> Self {
        Self { offer_trace, ..self }
    }

    fn tracked(&self) -> MutexGuard<'_, Tracked> {
        self.tracked.lock().expect("nothing panics while it holds the progress")
    }

    /// The run goes on from a committed checkpoint.
    pub(crate) fn resume_from(&self, step: u64) {
        let mut tracked = self.tracked();
        tracked.progress = Progress { step, checkpoint_step: Some(step), ..Progress::default() };
        tracked.resumed_from = step;
    }

    /// The step it went on from; 0 for a fresh start.
    pub(crate) fn resumed_from(&self) -> u64 {
        self.tracked().resumed_from
    }

    /// The trainer tells how far it is. The committed step is ours to know; so is the throughput, unless it tells one.
    pub(crate) fn report(&self, told: Progress, now: Instant) {
        let mut tracked = self.tracked();
        let measured = tracked.throughput.at(told.step, now);
        tracked.progress = Progress {
            loss: told.loss.filter(|loss| loss.is_finite()),
            steps_per_second: told.steps_per_second.filter(|rate| rate.is_finite()).or(measured),
            checkpoint_step: tracked.progress.checkpoint_step,
            ..told
        };
        tracked.reported_at = now;
    }

    /// A checkpoint of `step` has been committed.
    pub(crate) fn committed(&self, step: u64) {
        self.tracked().progress.checkpoint_step = Some(step);
    }

    pub(crate) fn progress(&self) -> Progress {
        self.tracked().progress.clone()
    }

    /// Hangs a span on the run's offer. Only the scheduler is sure to tell of that: what the span of the whole attempt
    /// holds is lost, and with it whatever hangs on it, when this process is killed.
    pub(crate) fn in_trace(&self, span: Span) -> Span {
        if let Some(traceparent) = &self.offer_trace {
            telemetry::set_parent(&span, traceparent);
        }
        span
    }

    /// Whether this is the run of that attempt.
    pub(crate) fn is_attempt(&self, job_id: &JobId, attempt: u32) -> bool {
        self.job_id == *job_id && self.attempt == attempt
    }

    /// The run's line in a heartbeat.
    pub(crate) fn as_report(&self) -> RunReport {
        RunReport { job_id: self.job_id.clone(), attempt: self.attempt, progress: self.progress() }
    }

    /// Asks the run to stop.
    pub(crate) fn request_stop(&self, cause: StopCause) {
        let now = Instant::now();
        self.stop.send_if_modified(|request| {
            let merged = StopRequest::merge(*request, cause, now);
            let changes = *request != Some(merged);
            if changes {
                tracing::info!(
                    job.id = %self.job_id, job.attempt = self.attempt, cause = cause.as_str(), "the run must stop"
                );
            }
            *request = Some(merged);
            changes
        });
    }

    /// The scheduler has set another limit than it granted.
    pub(crate) fn move_limit(&self, limit: Duration, cause: StopCause) {
        self.tracked().moved_limit = Some((limit, cause));
    }

    pub(crate) fn stop(&self) -> Option<StopRequest> {
        *self.stop.borrow()
    }

    /// Hears every later request to stop.
    pub(crate) fn stops(&self) -> watch::Receiver<Option<StopRequest>> {
        self.stop.subscribe()
    }

    /// What the overseer looks at.
    pub(crate) fn signs(&self) -> Signs {
        let tracked = self.tracked();
        Signs {
            step: tracked.progress.step,
            moved_limit: tracked.moved_limit,
            reported_at: tracked.reported_at,
            in_our_hands: self.in_our_hands.load(Ordering::Relaxed),
            stop: self.stop(),
        }
    }

    /// While the result lives, the run's thread is in our own code and does not count as hung.
    pub(crate) fn take_into_our_hands(self: &Arc<Self>) -> InOurHands {
        self.in_our_hands.store(true, Ordering::Relaxed);
        InOurHands(self.clone())
    }
}

/// The run's thread waits inside a call of [`crate::Control`].
pub(crate) struct InOurHands(Arc<RunState>);

impl Drop for InOurHands {
    fn drop(&mut self) {
        self.0.in_our_hands.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_what_is_ours_and_leaves_out_what_is_not_finite() {
        let run = RunState::new(JobId::generate(), 1);
        run.resume_from(40);
        run.report(
            Progress { step: 41, loss: Some(f64::NAN), checkpoint_step: Some(7), ..Progress::default() },
            Instant::now(),
        );
        let expected = Progress { step: 41, checkpoint_step: Some(40), ..Progress::default() };
        assert_eq!(run.progress(), expected);

        run.committed(41);
        assert_eq!(run.progress().checkpoint_step, Some(41));
    }
}
