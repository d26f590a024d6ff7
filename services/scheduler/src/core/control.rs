//! What people ask for.

use std::collections::hash_map::Entry;

use contract::{JobId, Refusal, Refused, StopCause};

use super::{
    Answer, Command, Core,
    desk::Desk,
    job::{Job, Phase},
};

impl Core {
    /// Answers where a job stands.
    pub(super) fn get(&mut self, job_id: &JobId) {
        let answer = self.view(job_id);
        self.desk.commands.push(Command::Answer(answer));
    }

    /// Cancels a job. One that waits ends at once; one that runs is told with its next heartbeat. A job that has ended
    /// stays as it is.
    pub(super) fn cancel(&mut self, job_id: &JobId) {
        if let Some(job) = self.jobs.get_mut(job_id) {
            self.desk.stop(job, StopCause::Cancelled);
        }
        self.get(job_id);
    }

    /// Pauses a job: one that waits at once, one that runs when it has stopped.
    pub(super) fn pause(&mut self, job_id: &JobId) {
        let paused = match self.jobs.get_mut(job_id) {
            Some(job) => self.desk.pause(job),
            None => Err(unknown(job_id)),
        };
        self.answer_with_job(paused, job_id);
    }

    /// Lets a paused job go on.
    pub(super) fn resume(&mut self, job_id: &JobId) {
        let resumed = match self.jobs.get_mut(job_id) {
            Some(job) => self.desk.resume(job),
            None => Err(unknown(job_id)),
        };
        self.answer_with_job(resumed, job_id);
    }

    /// Answers where a job stands once everybody whose turn it is has had it; or why nothing was done.
    pub(super) fn answer_with_job(&mut self, done: Result<(), Refused>, job_id: &JobId) {
        let answer = match done {
            Ok(()) => {
                self.dispatch();
                self.view(job_id)
            }
            Err(refused) => Answer::Refused(refused),
        };
        self.desk.commands.push(Command::Answer(answer));
    }

    /// Forgets a job that has ended.
    pub(super) fn remove(&mut self, job_id: &JobId) {
        let answer = match self.take_ended(job_id) {
            Ok(job) => {
                self.removed.insert(job_id.clone());
                self.desk.commands.push(Command::RemoveJob(Box::new(job)));
                Answer::Done
            }
            Err(refused) => Answer::Refused(refused),
        };
        self.desk.commands.push(Command::Answer(answer));
    }

    fn take_ended(&mut self, job_id: &JobId) -> Result<Job, Refused> {
        match self.jobs.entry(job_id.clone()) {
            Entry::Vacant(_) => Err(unknown(job_id)),
            Entry::Occupied(job) if job.get().state().is_end() => Ok(job.remove()),
            Entry::Occupied(job) => {
                let state = job.get().state();
                let message = format!(
                    "job {job_id} is {state}; only one that has ended can be removed: cancel it first"
                );
                Err(Refused::new(Refusal::Conflict, message))
            }
        }
    }

    fn view(&self, job_id: &JobId) -> Answer {
        match self.jobs.get(job_id) {
            Some(job) => Answer::Job(Box::new(self.shown(job))),
            None => Answer::Refused(unknown(job_id)),
        }
    }
}

impl Desk {
    /// Ends a job that has not ended, for good: at once where it waits, with its next heartbeat where it runs.
    pub(super) fn stop(&mut self, job: &mut Job, cause: StopCause) {
        match &job.phase {
            Phase::Queued | Phase::Offered { .. } | Phase::BackingOff { .. } | Phase::Paused { .. } => {
                self.call_off(job, cause);
            }
            Phase::Running(_) => self.order(job, cause),
            Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {}
        }
    }

    /// Has the holder of a job's lease told to stop, with its next heartbeat.
    pub(super) fn order(&mut self, job: &mut Job, cause: StopCause) {
        if let Phase::Running(lease) = &job.phase {
            let mut lease = lease.clone();
            if lease.order(cause, self.now) {
                self.enter(job, Phase::Running(lease));
            }
        }
    }
}

pub(super) fn unknown(job_id: &JobId) -> Refused {
    Refused::new(Refusal::NotFound, format!("there is no job {job_id}"))
}
