//! What the throughput says of an attempt's end: a warning in time, and the limit of `timeout = "auto"`.

use contract::{
    Timestamp,
    events::JobWarned,
    lease::{MovedLimit, Progress},
};
use policy::{auto_limit, remaining, shortfall};

use super::{
    JobEvent,
    desk::Desk,
    job::{Job, Lease, Phase},
};

impl Desk {
    /// Takes the news of a running attempt whose progress was `before`.
    pub(super) fn foresee(&mut self, job: &mut Job, before: &Progress) {
        let Some(rest) = job.attempts.last().and_then(|attempt| remaining(&attempt.progress)) else { return };
        let is_further = job.attempts.last().is_some_and(|attempt| before.step < attempt.progress.step);
        if is_further {
            self.move_limit(job, rest);
        }
        let Some(warning) = self.warning(job) else { return };
        let predicted_finish = predicted_finish(job);
        let Phase::Running(lease) = &mut job.phase else { return };
        if std::mem::replace(&mut lease.warned, true) {
            return;
        }
        let (job_id, attempt, at) = (job.id.clone(), job.granted, self.now);
        self.tell(JobEvent::Warned(JobWarned { job_id, attempt, warning, predicted_finish, at }));
    }

    /// Sets the limit of an attempt from its prediction, where the job leaves that open.
    fn move_limit(&mut self, job: &mut Job, rest: std::time::Duration) {
        let Some(most) = job.terms.auto_timeout else { return };
        let Phase::Running(lease) = &job.phase else { return };
        if lease.stop(self.now).is_some() {
            return;
        }
        let timeout = auto_limit(self.now.since(lease.granted_at), rest, most.to_duration());
        let Ok(limit) = self.allowance(job, &job.placement, timeout, lease.granted_at) else { return };
        if let Phase::Running(lease) = &mut job.phase {
            lease.run_limit = limit.time.into();
            lease.limit_cause = limit.cause;
            lease.limited_by = limit.purse;
        }
        self.purses.note(job, &self.rules);
    }

    /// What the owner of a running job should know of its end.
    pub(super) fn warning(&self, job: &Job) -> Option<String> {
        let Phase::Running(lease) = &job.phase else { return None };
        if lease.stop(self.now).is_some() {
            return None;
        }
        let rest = remaining(&job.attempts.last()?.progress)?;
        let elapsed = lease.heard_at.since(lease.granted_at);
        let usd_per_hour = job.terms.usd_per_hour(&job.placement);
        shortfall(&job.terms, elapsed, rest, job.left(lease.heard_at), usd_per_hour, self.rules.margin())
    }
}

/// When the running attempt will be done if it goes on as it did when it was last heard.
pub(super) fn predicted_finish(job: &Job) -> Option<Timestamp> {
    let Phase::Running(lease) = &job.phase else { return None };
    Some(lease.heard_at.plus(remaining(&job.attempts.last()?.progress)?))
}

/// The limit that a trainer has to hear again because it is not the one that was granted.
pub(super) fn moved_limit(job: &Job) -> Option<MovedLimit> {
    let Phase::Running(Lease { run_limit, limit_cause, .. }) = &job.phase else { return None };
    job.terms.auto_timeout?;
    Some(MovedLimit {
        job_id: job.id.clone(),
        attempt: job.granted,
        run_limit: *run_limit,
        run_limit_cause: *limit_cause,
    })
}
