//! When each job is to be looked at again.

use std::collections::{BTreeSet, HashMap};

use contract::{JobId, Timestamp};

/// One timer a job, at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Timestamp, JobId)>,
    by_job: HashMap<JobId, Timestamp>,
}

impl Timers {
    /// Sets a job's timer, in place of the one it has.
    pub(super) fn arm(&mut self, job_id: &JobId, at: Timestamp) {
        self.disarm(job_id);
        self.by_job.insert(job_id.clone(), at);
        self.by_time.insert((at, job_id.clone()));
    }

    pub(super) fn disarm(&mut self, job_id: &JobId) {
        if let Some(at) = self.by_job.remove(job_id) {
            self.by_time.remove(&(at, job_id.clone()));
        }
    }

    /// Takes the timers that have run down.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<JobId> {
        let mut due = Vec::new();
        while let Some((at, job_id)) = self.by_time.pop_first() {
            if now < at {
                self.by_time.insert((at, job_id));
                break;
            }
            self.by_job.remove(&job_id);
            due.push(job_id);
        }
        due
    }

    /// The jobs that have a timer.
    #[cfg(test)]
    pub(super) fn jobs(&self) -> BTreeSet<&JobId> {
        self.by_job.keys().collect()
    }
}
