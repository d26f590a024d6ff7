//! What trainers report of attempts.

use contract::{
    Failure, FailureClass, JobId, Timestamp,
    events::{AttemptEnd, AttemptEnded, AttemptStarted, Event},
    lease::Progress,
};

use super::{
    Command, Core,
    job::{Job, Phase},
};

impl Core {
    /// An attempt computes: its holder has the grant.
    pub(super) fn started(&mut self, started: &AttemptStarted) {
        let Some(job) = self.jobs.get_mut(&started.job_id) else { return };
        let is_holder = job.attempts.last().is_some_and(|attempt| attempt.worker == started.worker);
        let Phase::Running(lease) = &mut job.phase else { return };
        let is_first = job.attempts.last().is_some_and(|attempt| attempt.resumed_from_step.is_none());
        if started.attempt != job.granted || !is_holder || !is_first {
            return;
        }
        lease.confirmed = true;
        job.resume_from(started.resumed_from_step);
        self.desk.save(job);
        self.record(&started.job_id, started.at, started);
    }

    /// An attempt is over. A report of an attempt that was given up is late, and counts only if it is the one thing
    /// that cannot be had again: success.
    pub(super) fn ended(&mut self, ended: AttemptEnded) {
        let now = self.desk.now;
        let Some(job) = self.jobs.get_mut(&ended.job_id) else { return };
        let heard_at =
            job.lease_of(ended.attempt, &ended.worker, ended.incarnation).map(|lease| lease.heard_at);
        if heard_at.is_none() && !is_late_success(job, &ended) {
            return;
        }
        self.desk.commands.push(record(&ended.job_id, ended.at, &ended));
        // The trainer's clock is believed as far as it does not contradict our own.
        let ended_at = ended.at.min(now).max(heard_at.unwrap_or_default());
        job.note_micro_batches(&ended.progress);
        note_progress(job, ended.progress, ended.resumed_from_step);
        match ended.end {
            AttemptEnd::Succeeded(result) => {
                self.desk.close_attempt(job, ended_at);
                if heard_at.is_none() {
                    self.desk.forgive(job);
                }
                self.desk.finish(job, Phase::Succeeded { at: now, result });
            }
            AttemptEnd::Failed(failure) => {
                self.desk.fail(job, failure.reworded(&*failure.message), ended_at);
            }
            AttemptEnd::Cancelled => {
                let failure =
                    Failure::transient("the trainer stopped as cancelled, and nobody had cancelled the job");
                self.desk.fail(job, failure, ended_at);
            }
            AttemptEnd::Paused => self.desk.paused(job, ended_at),
            AttemptEnd::Superseded => {
                let failure = Failure::new(FailureClass::Lost, "the trainer stopped for a newer attempt");
                self.desk.fail(job, failure, ended_at);
            }
        }
    }

    /// Keeps a report in the job's history.
    pub(super) fn noted<E: Event>(&mut self, job_id: &JobId, attempt: u32, at: Timestamp, event: &E) {
        if self.jobs.get(job_id).is_some_and(|job| (1..=job.granted).contains(&attempt)) {
            self.record(job_id, at, event);
        }
    }

    fn record<E: Event>(&mut self, job_id: &JobId, at: Timestamp, event: &E) {
        self.desk.commands.push(record(job_id, at, event));
    }
}

fn record<E: Event>(job_id: &JobId, at: Timestamp, event: &E) -> Command {
    Command::Record { job_id: job_id.clone(), at, event: contract::encode(event) }
}

/// Whether an attempt that was declared lost has succeeded after all, and in time: no newer attempt was granted, so
/// its token is still the newest, its final checkpoint is in the history, and nobody has done the work again.
fn is_late_success(job: &Job, ended: &AttemptEnded) -> bool {
    let waits = matches!(
        job.phase,
        Phase::Queued | Phase::Offered { .. } | Phase::BackingOff { .. } | Phase::Paused { .. }
    );
    let was_lost = job.attempts.last().is_some_and(|attempt| {
        attempt.attempt == ended.attempt
            && attempt.worker == ended.worker
            && attempt.failure.as_ref().is_some_and(|failure| failure.class == FailureClass::Lost)
    });
    waits && was_lost && ended.attempt == job.granted && matches!(ended.end, AttemptEnd::Succeeded(_))
}

fn note_progress(job: &mut Job, progress: Progress, resumed_from_step: u64) {
    // A run that failed before it computed has nothing to say about steps.
    if resumed_from_step < progress.step {
        job.resume_from(resumed_from_step);
    }
    if let Some(attempt) = job.attempts.last_mut()
        && attempt.progress.step <= progress.step
    {
        attempt.progress = progress;
    }
}
