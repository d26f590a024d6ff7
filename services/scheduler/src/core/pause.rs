//! Jobs that stand still because somebody paused them.

use contract::{
    Refusal, Refused, StopCause, Timestamp,
    events::{JobPaused, JobResumed},
};

use super::{
    JobEvent,
    desk::Desk,
    job::{Job, Phase},
};

impl Desk {
    /// Pauses a job: one that waits at once, one that runs when it has stopped.
    ///
    /// # Errors
    /// A job that has ended, or is about to, cannot be paused.
    pub(super) fn pause(&mut self, job: &mut Job) -> Result<(), Refused> {
        match &job.phase {
            Phase::Queued | Phase::Offered { .. } | Phase::BackingOff { .. } => self.stand_still(job),
            Phase::Running(lease) => match lease.ordered() {
                Some(cause @ (StopCause::Cancelled | StopCause::EarlyStopped)) => {
                    let (id, cause) = (&job.id, cause.as_str());
                    return conflict(format!(
                        "job {id} is about to end: its attempt was told to stop ({cause})"
                    ));
                }
                _ => self.order(job, StopCause::Paused),
            },
            Phase::Paused { .. } => {}
            Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {
                return conflict(format!("job {} has ended: {}", job.id, job.state()));
            }
        }
        Ok(())
    }

    /// Lets a paused job go on, in its old place; one that is only about to pause runs on if it has not heard of it.
    ///
    /// # Errors
    /// Another job cannot be resumed.
    pub(super) fn resume(&mut self, job: &mut Job) -> Result<(), Refused> {
        match &job.phase {
            Phase::Paused { .. } => self.enter(job, Phase::Queued),
            Phase::Running(lease) if lease.ordered() == Some(StopCause::Paused) => {
                self.countermand(job, StopCause::Paused);
            }
            _ => {
                let (id, state) = (&job.id, job.state());
                return conflict(format!("job {id} is {state}; only a paused one can be resumed"));
            }
        }
        let (job_id, attempt, at) = (job.id.clone(), job.granted, self.now);
        self.tell(JobEvent::Resumed(JobResumed { job_id, attempt, at }));
        Ok(())
    }

    /// Takes the end of an attempt that stopped because its job was paused. Nothing is charged. A job that was resumed
    /// meanwhile goes on at once.
    pub(super) fn paused(&mut self, job: &mut Job, ended_at: Timestamp) {
        self.close_attempt(job, ended_at);
        if let Some(attempt) = job.attempts.last_mut() {
            attempt.stopped = Some(StopCause::Paused);
        }
        match job.ordered() {
            Some(cause @ (StopCause::Cancelled | StopCause::EarlyStopped)) => self.call_off(job, cause),
            Some(StopCause::Paused) => self.stand_still(job),
            _ => self.enter(job, Phase::Queued),
        }
    }

    /// Has a job that nobody runs wait until it is resumed.
    pub(super) fn stand_still(&mut self, job: &mut Job) {
        let at = self.now;
        self.enter(job, Phase::Paused { at });
        self.tell(JobEvent::Paused(JobPaused { job_id: job.id.clone(), attempt: job.granted, at }));
    }
}

fn conflict(message: String) -> Result<(), Refused> {
    Err(Refused::new(Refusal::Conflict, message))
}
