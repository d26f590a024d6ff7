//! What a killed scheduler leaves behind: its database.

use std::collections::{BTreeMap, BTreeSet};

use contract::{JobId, Month, SweepId, WorkerId};
use serde::{Serialize, de::DeserializeOwned};

use crate::core::{Bill, Core, Event, Job, JobEvent, Offer, Sweep, Worker};

#[derive(Default)]
pub(super) struct Saved {
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) sweeps: BTreeMap<SweepId, Sweep>,
    /// What each job has spent, though it be removed, and who paid.
    pub(super) bills: BTreeMap<JobId, (String, Bill)>,
    /// Names of jobs that were removed.
    pub(super) removed: BTreeSet<JobId>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) outbox: BTreeMap<u64, Letter>,
}

/// Something that has to reach the broker.
#[derive(Debug, Clone)]
pub(super) enum Letter {
    Offer(Offer),
    Told(JobEvent),
}

impl Saved {
    /// Whether there is, or was, a job of this name.
    pub(super) fn knows(&self, job_id: &JobId) -> bool {
        self.jobs.contains_key(job_id) || self.removed.contains(job_id)
    }

    /// What owners have spent in a month.
    pub(super) fn spent(&self, month: Month) -> BTreeMap<String, f64> {
        let mut spent = BTreeMap::new();
        for (owner, bill) in self.bills.values() {
            let lines = bill.lines().iter().filter(|line| line.month == month);
            *spent.entry(owner.clone()).or_default() += lines.map(|line| line.usd).sum::<f64>();
        }
        spent
    }

    /// The jobs that have not ended.
    pub(super) fn live_jobs(&self) -> Vec<Job> {
        self.jobs.values().filter(|job| !job.state().is_end()).map(written_and_read).collect()
    }

    /// The sweeps that have not ended.
    pub(super) fn live_sweeps(&self) -> Vec<Sweep> {
        self.sweeps.values().filter(|sweep| !sweep.state().is_end()).map(written_and_read).collect()
    }

    /// Brings back what an event names and what has ended. A trial brings its sweep along.
    pub(super) fn recall(&self, event: &Event, core: &mut Core) {
        let mut sweeps: Vec<SweepId> = event.sweep_id().into_iter().collect();
        for job_id in event.job_id().into_iter().chain(event.trials()) {
            if core.job(&job_id).is_none()
                && let Some(job) = self.jobs.get(&job_id)
            {
                sweeps.extend(job.trial.as_ref().map(|trial| trial.sweep.clone()));
                core.recall(written_and_read(job));
            } else if self.removed.contains(&job_id) {
                core.recall_removed(job_id);
            }
        }
        for sweep in sweeps {
            if core.sweep(&sweep).is_none()
                && let Some(sweep) = self.sweeps.get(&sweep)
            {
                core.recall_sweep(written_and_read(sweep));
            }
        }
    }
}

/// Something as the database gives it back.
fn written_and_read<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(what: &T) -> T {
    let body = serde_json::to_string(what).expect("it can be written");
    let read: T = serde_json::from_str(&body).expect("it can be read");
    assert_eq!(*what, read, "it is read back as it was written");
    read
}
