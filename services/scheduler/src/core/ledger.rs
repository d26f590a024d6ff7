//! Time and money: what a job has used up, and what remains.

use std::time::Duration;

use contract::{
    Seconds, Timestamp,
    control::{AttemptView, LedgerView},
};
use policy::{Charged, Left, Placement, usd};
use serde::{Deserialize, Serialize};

use super::job::{Job, Phase};

/// Attempts that are kept one by one. A job that is preempted every minute for a week has more.
const ATTEMPTS_KEPT: usize = 48;

/// What a job has used up: whole milliseconds, so that sums are exact.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// Waiting for a worker.
    pub(crate) queued_ms: u64,
    /// Waiting for the next attempt to be due.
    pub(crate) backing_off_ms: u64,
    /// Paused, which counts against no limit.
    #[serde(default)]
    pub(crate) paused_ms: u64,
    /// Under leases that are over.
    pub(crate) running_ms: u64,
    /// What those cost, in US dollars.
    pub(crate) usd: f64,
    /// Failures by the budget they were charged to, over the job's whole life.
    pub(crate) charged: Charged,
    /// Steps that were done again.
    pub(crate) steps_repeated: u64,
}

impl Job {
    /// Enters the waiting up to `now` into the ledger. Running time is entered when the attempt ends.
    pub(crate) fn enter_waiting(&mut self, now: Timestamp) {
        let waited = self.waiting(now);
        self.ledger.queued_ms += waited.queued_ms;
        self.ledger.backing_off_ms += waited.backing_off_ms;
        self.ledger.paused_ms += waited.paused_ms;
        if !matches!(self.phase, Phase::Running(_)) {
            self.since = now;
        }
    }

    /// Adds an attempt, which starts to cost.
    pub(crate) fn begin_attempt(&mut self, attempt: AttemptView) {
        self.granted = attempt.attempt;
        if self.attempts.len() == ATTEMPTS_KEPT {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
    }

    /// Has the attempt that runs begin now: what went before was waiting.
    pub(crate) fn begin_later(&mut self, now: Timestamp) {
        let Some(attempt) = self.attempts.last_mut() else { return };
        attempt.leased_at = now;
        self.ledger.queued_ms += millis(self.since, now);
        self.since = now;
    }

    /// Closes the last attempt at a moment that may lie in the past; whatever follows it begins then. Closing it again
    /// can only lengthen it.
    pub(crate) fn close_attempt(&mut self, at: Timestamp) {
        let Some(attempt) = self.attempts.last_mut() else { return };
        let billed_to = attempt.ended_at.unwrap_or(attempt.leased_at);
        let ended_at = at.max(billed_to);
        attempt.ended_at = Some(ended_at);
        let machine = Placement { gpu: attempt.gpu.clone(), tier: attempt.tier };
        let cost = usd(ended_at.since(billed_to), self.terms.usd_per_hour(&machine));
        attempt.usd += cost;
        self.ledger.usd += cost;
        self.ledger.running_ms += millis(billed_to, ended_at);
        self.bill.add(billed_to, ended_at, &machine, &self.terms);
        if matches!(self.phase, Phase::Running(_)) {
            self.since = ended_at;
        }
    }

    /// Notes from which step the last attempt goes on, once.
    pub(crate) fn resume_from(&mut self, step: u64) {
        let reached = match self.attempts.as_slice() {
            [.., previous, _] if self.fresh_after < previous.attempt => previous.progress.step,
            _ => 0,
        };
        if let Some(attempt) = self.attempts.last_mut()
            && attempt.resumed_from_step.is_none()
        {
            attempt.resumed_from_step = Some(step);
            attempt.progress.step = attempt.progress.step.max(step);
            self.ledger.steps_repeated += reached.saturating_sub(step);
        }
    }

    /// What remains of the total limits.
    pub(crate) fn left(&self, now: Timestamp) -> Left {
        let total = &self.terms.total;
        Left {
            time: total.time.map(|time| time.to_duration().saturating_sub(self.elapsed(now))),
            usd: total.usd.map(|usd| usd - self.spent(now)),
        }
    }

    /// Time and money up to `now`, for people.
    pub(crate) fn ledger_view(&self, now: Timestamp) -> LedgerView {
        let Ledger { charged, steps_repeated, .. } = self.ledger;
        let waiting = self.waiting(now);
        LedgerView {
            queued: seconds(self.ledger.queued_ms + waiting.queued_ms),
            backing_off: seconds(self.ledger.backing_off_ms + waiting.backing_off_ms),
            running: seconds(self.ledger.running_ms + self.running(now).as_millis() as u64),
            paused: seconds(self.ledger.paused_ms + waiting.paused_ms),
            usd: self.spent(now),
            saved_usd: self.bill_until(now).saved_usd(),
            retries: charged.retries,
            losses: charged.losses,
            preemptions: charged.preemptions,
            steps_repeated,
        }
    }

    /// Money spent up to `now`, in US dollars.
    pub(crate) fn spent(&self, now: Timestamp) -> f64 {
        self.ledger.usd + usd(self.running(now), self.terms.usd_per_hour(&self.placement))
    }

    /// Everything that counts against the total time.
    fn elapsed(&self, now: Timestamp) -> Duration {
        let Ledger { queued_ms, backing_off_ms, running_ms, .. } = self.ledger;
        let past = Duration::from_millis(queued_ms + backing_off_ms + running_ms);
        match self.phase {
            Phase::Paused { .. } | Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {
                past
            }
            Phase::Queued | Phase::Offered { .. } | Phase::Running(_) | Phase::BackingOff { .. } => {
                past + now.since(self.since)
            }
        }
    }

    /// How long the attempt that runs has run.
    fn running(&self, now: Timestamp) -> Duration {
        match (&self.phase, self.attempts.last()) {
            (Phase::Running(_), Some(attempt)) if attempt.ended_at.is_none() => now.since(attempt.leased_at),
            _ => Duration::ZERO,
        }
    }

    /// The waiting since the last entry.
    fn waiting(&self, now: Timestamp) -> Ledger {
        let mut waited = Ledger::default();
        match self.phase {
            Phase::Queued | Phase::Offered { .. } => waited.queued_ms = millis(self.since, now),
            Phase::BackingOff { due, .. } => {
                waited.backing_off_ms = millis(self.since, now.min(due));
                waited.queued_ms = millis(self.since.max(due), now);
            }
            Phase::Paused { .. } => waited.paused_ms = millis(self.since, now),
            Phase::Running(_) | Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {}
        }
        waited
    }
}

impl Phase {
    /// Whether the job is over.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Dead { .. } | Self::Cancelled { .. })
    }
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    to.0.saturating_sub(from.0)
}

fn seconds(ms: u64) -> Seconds {
    Duration::from_millis(ms).into()
}
