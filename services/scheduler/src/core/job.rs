//! A job: what was asked for, where it stands, and what it has used up.

use std::{collections::BTreeMap, time::Duration};

use contract::{
    ConsideredClass, Failure, FailureClass, GpuClass, Incarnation, JobId, Seconds, StopCause, SubmitJob,
    Tier, Timestamp, WorkerId,
    control::{AttemptView, JobEdits, JobState},
    events::RunResult,
};
use policy::{Charged, Placement, Terms};
use serde::{Deserialize, Serialize};

use super::{
    bill::Bill,
    ledger::Ledger,
    money::{Purse, Reservation},
    sweeps::TrialOf,
};

/// How often a spot machine may be taken away in a row, without any progress, until a job stays on demand.
const FRUITLESS_PREEMPTIONS: usize = 3;

/// A job, as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its name.
    pub(crate) id: JobId,
    /// What was asked for, its name and its profile's parameters filled in, with what was edited since.
    pub(crate) submission: SubmitJob,
    /// What was asked for at first, where parameters were filled in or anything was edited since.
    #[serde(default)]
    pub(crate) submitted: Option<Box<SubmitJob>>,
    /// What was edited.
    #[serde(default)]
    pub(crate) edits: JobEdits,
    /// The last attempt before it was redriven to begin again: checkpoints up to this one are not gone on from.
    #[serde(default)]
    pub(crate) fresh_after: u32,
    /// What it runs under.
    pub(crate) terms: Terms,
    /// The trace of its submission.
    #[serde(default)]
    pub(crate) traceparent: Option<String>,
    /// When it was accepted.
    pub(crate) submitted_at: Timestamp,
    /// Its place among those accepted in the same millisecond.
    #[serde(default)]
    pub(crate) arrival: u64,
    /// Where it stands.
    pub(crate) phase: Phase,
    /// Up to when its time has been entered into the ledger.
    pub(crate) since: Timestamp,
    /// Where the present attempt runs, or the next one would.
    pub(crate) placement: Placement,
    /// How many attempts were granted: the number of the last one, and the newest fencing token.
    pub(crate) granted: u32,
    /// The last attempts, oldest first; older ones live on in the ledger.
    pub(crate) attempts: Vec<AttemptView>,
    /// Time and money of the attempts that are over, and of the waiting.
    pub(crate) ledger: Ledger,
    /// The money of the attempts that are over, by month, class and tier.
    #[serde(default)]
    pub(crate) bill: Bill,
    /// What failures have used up of its budgets since it was last redriven.
    pub(crate) charged: Charged,
    /// The trial of a sweep that it is.
    #[serde(default)]
    pub(crate) trial: Option<TrialOf>,
    /// The memory of the class on which it ran out of memory.
    #[serde(default)]
    pub(crate) outgrown_mib: Option<u64>,
    /// From which step its last run went on whose loss stopped being a number.
    #[serde(default)]
    pub(crate) diverged_from_step: Option<u64>,
    /// How many micro-batches its steps took on each class where memory did not suffice for fewer.
    #[serde(default)]
    pub(crate) micro_batches: BTreeMap<GpuClass, u32>,
    /// Where the present attempt was offered and not claimed in time.
    #[serde(default)]
    pub(crate) unclaimed: Vec<Placement>,
    /// Since when the present attempt lies where it is offered.
    #[serde(default)]
    pub(crate) offered_since: Timestamp,
    /// How long the attempt that is offered may run, as far as its money goes.
    #[serde(default)]
    pub(crate) planned: Seconds,
    /// What attempts that were lost may yet cost: their machines may still run.
    #[serde(default)]
    pub(crate) lost: Vec<Reservation>,
    /// What came of every class when the machine was last chosen.
    #[serde(default)]
    pub(crate) considered: Vec<ConsideredClass>,
}

/// Where a job stands, with what is true only there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub(crate) enum Phase {
    /// It waits in the scheduler.
    Queued,
    /// Its next attempt lies in a queue.
    Offered {
        /// Since when.
        at: Timestamp,
    },
    /// A worker holds its lease.
    Running(Lease),
    /// It waits for its next attempt to be due.
    BackingOff {
        /// When that is.
        due: Timestamp,
        /// Whether the attempt is on its way through the broker. Nothing is published to a class that nobody offers.
        published: bool,
    },
    /// Somebody paused it, and nobody has resumed it yet.
    Paused {
        /// Since when.
        at: Timestamp,
    },
    /// Ended: the work is done.
    Succeeded {
        /// When.
        at: Timestamp,
        /// What it leaves behind.
        result: RunResult,
    },
    /// Ended without success.
    Dead {
        /// When.
        at: Timestamp,
        /// Why.
        failure: Failure,
        /// Which budget ran out, if that is why.
        exhausted: Option<FailureClass>,
    },
    /// Ended: somebody cancelled it.
    Cancelled {
        /// When.
        at: Timestamp,
        /// What it was stopped for, when nobody cancelled it.
        #[serde(default)]
        cause: Option<StopCause>,
    },
}

/// The right of one process to run one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// Who holds it.
    pub(crate) worker: WorkerId,
    /// Which life of its process.
    pub(crate) incarnation: Incarnation,
    /// The attempt number of the offer that was claimed; lower than the attempt's own when it superseded another.
    pub(crate) offered: u32,
    /// When it was granted.
    pub(crate) granted_at: Timestamp,
    /// When its holder was last heard.
    pub(crate) heard_at: Timestamp,
    /// Whether the holder has said that it runs. Until then it may have died with the grant in the mail.
    pub(crate) confirmed: bool,
    /// How long the attempt may run.
    pub(crate) run_limit: Seconds,
    /// What it means when it does.
    pub(crate) limit_cause: StopCause,
    /// Whose money is over then, if it is that.
    #[serde(default)]
    pub(crate) limited_by: Option<Purse>,
    /// Whether the job's owner was warned that the attempt will not be done in time.
    #[serde(default)]
    pub(crate) warned: bool,
    /// Since when its holder is told to stop, whatever its limit.
    #[serde(default, alias = "cancelled_at")]
    pub(crate) stop_at: Option<Timestamp>,
    /// For what. Older releases left it out where somebody had cancelled the job.
    #[serde(default, alias = "cancelled_for")]
    pub(crate) stop_for: Option<StopCause>,
}

impl Lease {
    /// Why the attempt must stop, if it must, and since when.
    pub(crate) fn stop(&self, now: Timestamp) -> Option<(StopCause, Timestamp)> {
        let limit_at = self.limit_at();
        match self.stop_at.zip(self.ordered()) {
            Some((at, cause)) => Some((cause, at)),
            None if limit_at <= now => Some((self.limit_cause, limit_at)),
            None => None,
        }
    }

    /// What its holder is told to stop for, its limit aside.
    pub(crate) fn ordered(&self) -> Option<StopCause> {
        self.stop_at.map(|_| self.stop_for.unwrap_or(StopCause::Cancelled))
    }

    /// Has its holder told to stop; `false` where it is told so already, for a cause of the same weight or a greater.
    /// The time to do so counts from the first order.
    pub(crate) fn order(&mut self, cause: StopCause, now: Timestamp) -> bool {
        if self.ordered().is_some_and(|before| weight(cause) <= weight(before)) {
            return false;
        }
        self.stop_at.get_or_insert(now);
        self.stop_for = Some(cause);
        true
    }

    /// Takes an order to stop back. A holder that has heard of it stops all the same.
    pub(crate) fn take_back(&mut self) {
        (self.stop_at, self.stop_for) = (None, None);
    }

    /// When the attempt must be gone, even if its holder is still heard.
    pub(crate) fn gone_by(&self, patience: Duration) -> Timestamp {
        self.stop_at.unwrap_or(Timestamp(u64::MAX)).min(self.limit_at()).plus(patience)
    }

    /// When it reaches its limit.
    pub(crate) fn limit_at(&self) -> Timestamp {
        self.granted_at.plus(self.run_limit.to_duration())
    }
}

/// Which of two orders to stop stands: what ends a job comes before what it goes on from.
fn weight(cause: StopCause) -> u8 {
    match cause {
        StopCause::Preempted | StopCause::Timeout | StopCause::Budget => 0,
        StopCause::Paused => 1,
        StopCause::EarlyStopped => 2,
        StopCause::Cancelled | StopCause::Superseded => 3,
    }
}

impl Job {
    /// The state as others see it.
    pub(crate) fn state(&self) -> JobState {
        match self.phase {
            Phase::Queued => JobState::Queued,
            Phase::Offered { .. } => JobState::Offered,
            Phase::Running(_) => JobState::Running,
            Phase::BackingOff { .. } => JobState::BackingOff,
            Phase::Paused { .. } => JobState::Paused,
            Phase::Succeeded { .. } => JobState::Succeeded,
            Phase::Dead { .. } => JobState::Dead,
            Phase::Cancelled { .. } => JobState::Cancelled,
        }
    }

    /// What it was stopped for, when it is cancelled and nobody cancelled it.
    pub(crate) fn cause(&self) -> Option<StopCause> {
        match &self.phase {
            Phase::Cancelled { cause, .. } => *cause,
            _ => None,
        }
    }

    /// When it ended.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Succeeded { at, .. } | Phase::Dead { at, .. } | Phase::Cancelled { at, .. } => Some(*at),
            Phase::Queued
            | Phase::Offered { .. }
            | Phase::Running(_)
            | Phase::BackingOff { .. }
            | Phase::Paused { .. } => None,
        }
    }

    /// When its next attempt is due, while it backs off.
    pub(crate) fn next_attempt_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::BackingOff { due, .. } => Some(due),
            _ => None,
        }
    }

    /// How long spot machines last for it, if they come to nothing: one after the other was taken away before it got any
    /// further.
    pub(crate) fn stuck_on_spot(&self) -> Option<Duration> {
        let attempts = self.attempts.last_chunk::<FRUITLESS_PREEMPTIONS>()?;
        let taken_away = attempts.iter().all(|attempt| {
            let class = attempt.failure.as_ref().map(|failure| failure.class);
            attempt.tier == Tier::Spot && class == Some(FailureClass::Preempted)
        });
        let [first, .., last] = attempts;
        if !taken_away || first.resumed_from_step.unwrap_or(0) < last.progress.step {
            return None;
        }
        let lasted =
            attempts.iter().map(|attempt| attempt.ended_at.unwrap_or_default().since(attempt.leased_at));
        lasted.max()
    }

    /// What its running attempt was told to stop for, its limit aside.
    pub(crate) fn ordered(&self) -> Option<StopCause> {
        match &self.phase {
            Phase::Running(lease) => lease.ordered(),
            _ => None,
        }
    }

    /// The step that the next attempt would go on from, where it has a checkpoint.
    pub(crate) fn checkpoint_step(&self) -> Option<u64> {
        let ours = self.attempts.iter().rev().take_while(|attempt| self.fresh_after < attempt.attempt);
        let steps = ours.flat_map(|attempt| [attempt.progress.checkpoint_step, attempt.resumed_from_step]);
        steps.flatten().find(|step| 0 < *step)
    }

    /// The number that the next attempt will have.
    pub(crate) fn next_attempt(&self) -> u32 {
        self.granted + 1
    }

    /// The lease of `attempt`, if `worker` in this life of its process holds it.
    pub(crate) fn lease_of(
        &mut self,
        attempt: u32,
        worker: &WorkerId,
        incarnation: Incarnation,
    ) -> Option<&mut Lease> {
        match &mut self.phase {
            Phase::Running(lease)
                if attempt == self.granted && lease.worker == *worker && lease.incarnation == incarnation =>
            {
                Some(lease)
            }
            _ => None,
        }
    }
}
