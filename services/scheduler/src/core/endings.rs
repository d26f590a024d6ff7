//! How attempts fail and jobs end.

use std::time::Duration;

use contract::{
    Failure, FailureClass, SpotUse, StopCause, Timestamp,
    control::Charge,
    events::{DeadLetter, JobEnded, JobRetrying, JobWarned},
};
use policy::{Chance, Decision, decide};

use super::{
    Command, JobEvent,
    desk::Desk,
    job::{Job, Phase},
    money::{OffSpot, Shortage},
    view,
};

impl Desk {
    /// Ends the running attempt with a failure: the job is tried again, or has ended.
    pub(super) fn fail(&mut self, job: &mut Job, failure: Failure, ended_at: Timestamp) {
        if let Some(delay) = self.conclude(job, failure, ended_at) {
            self.note_retry(job, delay);
            self.retry(job, delay);
        }
    }

    /// Closes the running attempt and charges its failure. Returns the wait before the next attempt, or ends or pauses the
    /// job.
    pub(super) fn conclude(
        &mut self,
        job: &mut Job,
        failure: Failure,
        ended_at: Timestamp,
    ) -> Option<Duration> {
        let now = self.now;
        self.close_attempt(job, ended_at);
        let failure = job.judged(failure);
        if let Some(attempt) = job.attempts.last_mut() {
            attempt.failure = Some(failure.clone());
            attempt.charged_to = Some(Charge::Nothing);
        }
        let ordered = job.ordered();
        match ordered {
            Some(cause @ (StopCause::Cancelled | StopCause::EarlyStopped)) => {
                self.call_off(job, cause);
                return None;
            }
            _ if failure.class == FailureClass::Lost => job.note_loss(self.rules.margin()),
            _ => {}
        }
        let pauses = ordered == Some(StopCause::Paused);
        let waits_for_money = failure.class == FailureClass::Budget && self.waits_for_money(job);
        if pauses && (waits_for_money || !happens_again(failure.class)) {
            self.stand_still(job);
            return None;
        }
        if waits_for_money {
            return Some(Duration::ZERO);
        }
        let shortage = self.least_shortage(job);
        let mut left = job.left(now);
        if shortage.is_some() {
            left.usd = Some(0.0);
        }
        let chance = Chance::of(&job.id, job.granted);
        let decision = match decide(failure.class, &job.terms.retry, job.charged, left, chance) {
            Decision::Retry { .. } if failure.class == FailureClass::Oom && !self.may_fit(job) => {
                Decision::GiveUp { exhausted: None }
            }
            decision => decision,
        };
        match decision {
            Decision::Retry { delay, charge } => {
                job.charge(charge);
                if failure.class == FailureClass::Oom {
                    job.outgrown_mib =
                        job.attempts.last().and_then(|attempt| job.class_memory_mib(&attempt.gpu));
                }
                self.leave_spot_if_stuck(job);
                if pauses {
                    self.stand_still(job);
                    return None;
                }
                Some(delay)
            }
            Decision::GiveUp { exhausted } => {
                let lacks = shortage.map(|shortage| self.lacks(job, &shortage));
                let failure = explained(failure, exhausted, job, lacks);
                self.finish(job, Phase::Dead { at: now, failure, exhausted });
                None
            }
        }
    }

    /// Has a job go on demand that spot machines do not get any further, or warns that it cannot pay for that.
    fn leave_spot_if_stuck(&mut self, job: &mut Job) {
        match self.way_off_spot(job) {
            OffSpot::NotNeeded => {}
            OffSpot::OnDemand => job.terms.spot = SpotUse::Never,
            OffSpot::TooDear(warning) => {
                let (job_id, attempt, at) = (job.id.clone(), job.granted, self.now);
                let warned = JobWarned { job_id, attempt, warning, predicted_finish: None, at };
                self.tell(JobEvent::Warned(warned));
            }
        }
    }

    /// Notes and tells that another attempt follows.
    pub(super) fn note_retry(&mut self, job: &mut Job, delay: Duration) {
        let Some(attempt) = job.attempts.last_mut() else { return };
        let Some(failure) = attempt.failure.clone() else { return };
        attempt.backoff = Some(delay.into());
        let retrying = JobRetrying {
            job_id: job.id.clone(),
            attempt: attempt.attempt,
            failure,
            delay: delay.into(),
            next_at: self.now.plus(delay),
            at: self.now,
        };
        self.tell(JobEvent::Retrying(retrying));
    }

    /// Sends the next attempt on its way through the broker's delay, or the job back to its lane if there is no delay.
    fn retry(&mut self, job: &mut Job, delay: Duration) {
        if delay.is_zero() {
            self.enter(job, Phase::Queued);
            return;
        }
        let due = self.now.plus(delay);
        let choice = self.choose(job);
        job.considered = choice.considered;
        let affordable = self.within_means(job, choice.placement.clone());
        let published = choice.offered && affordable.is_ok();
        self.place(job, affordable.map_or(choice.placement, |(placement, _)| placement));
        self.enter(job, Phase::BackingOff { due, published });
        if published {
            self.publish(job, due);
        }
    }

    /// Takes back the loss of an attempt that was not lost after all.
    pub(super) fn forgive(&mut self, job: &mut Job) {
        if let Some(attempt) = job.attempts.last_mut() {
            attempt.failure = None;
            attempt.backoff = None;
            if attempt.charged_to.take() == Some(Charge::Losses) {
                job.ledger.charged.losses -= 1;
            }
        }
    }

    /// Ends a job that is not to go on.
    pub(super) fn call_off(&mut self, job: &mut Job, cause: StopCause) {
        let cause = (cause != StopCause::Cancelled).then_some(cause);
        self.finish(job, Phase::Cancelled { at: self.now, cause });
    }

    /// Ends a job that waits and has nothing left to spend, or less than its next attempt costs.
    pub(super) fn run_dry(&mut self, job: &mut Job, shortage: Option<&Shortage>) {
        let total = &job.terms.total;
        let message = match (total.time, shortage) {
            (Some(time), _) if job.left(self.now).time.is_some_and(|left| left.is_zero()) => {
                format!("the job's total time of {time} is over; redrive it with a larger total.time")
            }
            (_, Some(shortage)) => self.lacks(job, shortage),
            (_, None) => {
                let usd = total.usd.unwrap_or(0.0);
                format!("the job's total of {usd} USD is spent; redrive it with a larger total.usd")
            }
        };
        let failure = Failure::new(FailureClass::Budget, message);
        self.finish(job, Phase::Dead { at: self.now, failure, exhausted: Some(FailureClass::Budget) });
    }

    /// Ends a job: the one way to do so.
    pub(super) fn finish(&mut self, job: &mut Job, end: Phase) {
        job.lost.clear();
        self.enter(job, end);
        self.past.note(job);
        let (failure, result) = match &job.phase {
            Phase::Dead { failure, exhausted, .. } => {
                let letter =
                    DeadLetter { job: view::job(job, self), failure: failure.clone(), exhausted: *exhausted };
                self.commands.push(Command::Bury(Box::new(letter)));
                (Some(failure.clone()), None)
            }
            Phase::Succeeded { result, .. } => (None, Some(result.clone())),
            _ => (None, None),
        };
        self.tell(JobEvent::Ended(Box::new(JobEnded {
            job_id: job.id.clone(),
            state: job.state(),
            failure,
            cause: job.cause(),
            result,
            attempts: job.granted,
            usd: job.ledger.usd,
            at: self.now,
        })));
    }
}

impl Job {
    /// The failure in the light of what went before: a loss that is no number is bad luck the first time, and a law the
    /// second time that a run went on from the same checkpoint.
    fn judged(&mut self, failure: Failure) -> Failure {
        let Some(step) = failure.diverged_from_step else { return failure };
        if self.diverged_from_step.replace(step) != Some(step) {
            return failure;
        }
        let text = format!("{} (for the second time from there)", failure.message);
        Failure { class: FailureClass::Permanent, ..failure.reworded(text) }
    }

    /// Charges the last attempt's failure.
    fn charge(&mut self, charge: Charge) {
        self.charged.add(charge);
        self.ledger.charged.add(charge);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.charged_to = Some(charge);
        }
    }
}

/// Whether a failure would stand in the way again, so that it counts although the attempt was told to stop.
fn happens_again(class: FailureClass) -> bool {
    matches!(class, FailureClass::Permanent | FailureClass::Oom | FailureClass::Budget)
}

/// The failure that ends a job, with why it is not tried again.
fn explained(failure: Failure, exhausted: Option<FailureClass>, job: &Job, lacks: Option<String>) -> Failure {
    let Failure { class, message, .. } = &failure;
    let class = *class;
    let retry = &job.terms.retry;
    let why = match (exhausted, lacks) {
        (Some(FailureClass::Budget), Some(lacks)) => format!("given up: {lacks}"),
        (Some(FailureClass::Budget), None) if class != FailureClass::Budget => {
            "given up: the total limits leave no room for another attempt".into()
        }
        (Some(FailureClass::Lost), _) => format!("given up: max_losses is {}", retry.max_losses),
        (Some(FailureClass::Transient | FailureClass::Oom | FailureClass::Timeout), _) => {
            format!("given up: max_retries is {}", retry.max_retries)
        }
        (None, _) if class == FailureClass::Oom => "given up: no class of the job has more memory".into(),
        _ => return failure,
    };
    let had = (class == FailureClass::Oom).then(|| job.memory_it_had()).flatten();
    let why = had.map_or_else(|| why.clone(), |had| format!("{had}; {why}"));
    // Cut the explanation rather than the reason that is added to it.
    let room = Failure::MAX_MESSAGE_BYTES.saturating_sub(why.len() + 3);
    let cut = message.floor_char_boundary(room);
    failure.reworded(format!("{} ({why})", &message[..cut]))
}
