//! What the scheduler decides: a state machine without clock, broker or disk.
//!
//! [`Core::step`] takes one [`Event`] and the present moment and returns [`Command`]s. Every event is idempotent or
//! carries an attempt's number, so that it does no harm twice, late or in another order. `docs/scheduler.md` has the
//! states and the transitions as a table.

mod admit;
mod attempts;
mod bill;
mod claims;
mod control;
mod desk;
mod dispatch;
mod drain;
mod endings;
mod event;
mod foresight;
mod index;
mod job;
mod ledger;
mod limits;
mod lines;
mod memory;
mod money;
mod offers;
mod past;
mod pause;
mod presence;
mod redrive;
mod sweeps;
mod tick;
mod timers;
mod view;
mod waiting;
mod workers;

use std::collections::{BTreeMap, HashMap, HashSet};

use contract::{GpuClass, JobId, Seconds, SweepId, Timestamp, WorkerId, Workload, control::JobSummary};
use policy::{GpuPrice, Owners, WorkloadPolicy};

pub(crate) use self::{
    bill::{Bill, BillLine},
    event::{Answer, Command, Event, JobEvent, Offer, Reach, Submission},
    job::{Job, Phase},
    sweeps::Sweep,
    workers::Worker,
};
use self::{desk::Desk, workers::Workers};

/// What an operator has set.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) workloads: BTreeMap<Workload, WorkloadPolicy>,
    pub(crate) prices: BTreeMap<GpuClass, GpuPrice>,
    pub(crate) owners: Owners,
    /// How long a job has to wait for a turn to rise by one priority.
    pub(crate) priority_worth: Seconds,
    pub(crate) heartbeat: Seconds,
    pub(crate) lease: Seconds,
    pub(crate) grace: Seconds,
    pub(crate) checkpoint_interval: Seconds,
    pub(crate) hang_limit: Seconds,
    pub(crate) claim_timeout: Seconds,
    pub(crate) least_run: Seconds,
}

/// Every job that has not ended, every worker, and what follows from them.
///
/// Jobs that have ended live in the database only: the caller recalls those that a batch of events names, and they
/// are dropped again with [`Core::retire`].
#[derive(Debug)]
pub(crate) struct Core {
    jobs: HashMap<JobId, Job>,
    /// Names that a batch uses and that belonged to jobs which were removed.
    removed: HashSet<JobId>,
    desk: Desk,
}

impl Core {
    /// Goes on from what was saved. No lease runs out before the workers had the time to be heard again.
    pub(crate) fn new(rules: Rules, jobs: Vec<Job>, workers: Vec<Worker>, now: Timestamp) -> Self {
        let mut desk = Desk::new(rules, Workers::new(workers), now);
        for job in &jobs {
            desk.arrivals = desk.arrivals.max(job.arrival + 1);
            desk.index.insert(job, &desk.rules);
            desk.purses.note(job, &desk.rules);
        }
        let jobs = jobs.into_iter().map(|job| (job.id.clone(), job)).collect();
        Self { jobs, removed: HashSet::new(), desk }
    }

    /// Takes one event.
    pub(crate) fn step(&mut self, event: Event, now: Timestamp) -> Vec<Command> {
        self.desk.now = self.desk.now.max(now);
        match event {
            Event::Submit(submission) => self.submit(*submission),
            Event::Estimate(submission) => self.estimate(&submission),
            Event::Get(job_id) => self.get(&job_id),
            Event::Cancel(job_id) => self.cancel(&job_id),
            Event::Pause(job_id) => self.pause(&job_id),
            Event::Resume(job_id) => self.resume(&job_id),
            Event::Redrive(redrive) => self.redrive(&redrive),
            Event::Remove(job_id) => self.remove(&job_id),
            Event::Hello(hello) => self.hello(*hello),
            Event::Goodbye(goodbye) => self.goodbye(&goodbye),
            Event::Drain(drain) => self.drain(&drain),
            Event::ListWorkers => self.list_workers(),
            Event::ListOwners => self.list_owners(),
            Event::Claim(claim) => self.claim(&claim),
            Event::Heartbeat(heartbeat) => self.heartbeat(heartbeat),
            Event::Started(started) => self.started(&started),
            Event::Ended(ended) => self.ended(*ended),
            Event::Metrics(metrics) => {
                self.noted(&metrics.job_id, metrics.attempt, metrics.at, &metrics);
                self.compare(&metrics);
            }
            Event::Note(note) => self.noted(&note.job_id, note.attempt, note.at, &note),
            Event::Checkpointed(done) => self.noted(&done.job_id, done.attempt, done.at, &done),
            Event::SubmitSweep(sweep, traceparent) => self.submit_sweep(*sweep, traceparent),
            Event::GetSweep(get) => self.get_sweep(&get.sweep_id, get.after),
            Event::CancelSweep(sweep_id) => self.cancel_sweep(&sweep_id),
            Event::ResumeSweep(resume) => self.resume_sweep(&resume),
            Event::Tick(reach) => self.tick(reach),
        }
        self.settle();
        std::mem::take(&mut self.desk.commands)
    }

    /// Launches the trials and offers the jobs that there is room for. A job whose turn it is may be found to have no money
    /// left, which ends it and is news for its sweep: both are saved together.
    fn settle(&mut self) {
        loop {
            self.tend_sweeps();
            self.dispatch();
            if self.desk.sweeps.are_tended() {
                break;
            }
        }
    }

    /// A job in memory: every one that has not ended, and those recalled.
    pub(crate) fn job(&self, id: &JobId) -> Option<&Job> {
        self.jobs.get(id)
    }

    /// A job in one line, with what is known of it in memory.
    pub(crate) fn summary(&self, job: &Job, now: Timestamp) -> JobSummary {
        JobSummary { waiting: waiting::waiting(job, &self.desk, &self.jobs), ..view::summary(job, now) }
    }

    /// A sweep in memory: every one that has not ended, and those recalled.
    pub(crate) fn sweep(&self, id: &SweepId) -> Option<&Sweep> {
        self.desk.sweeps.get(id)
    }

    /// A worker that has said hello.
    pub(crate) fn worker(&self, id: &WorkerId) -> Option<&Worker> {
        self.desk.workers.get(id)
    }

    /// How many jobs have not ended, by state.
    pub(crate) fn census(&self) -> Census {
        self.desk.index.census()
    }

    /// Learns from a job that has succeeded, the older ones first, what the next one like it will take.
    pub(crate) fn learn(&mut self, job: &Job) {
        self.desk.past.note(job);
    }

    /// Puts a job that has ended before the events that name it.
    pub(crate) fn recall(&mut self, job: Job) {
        self.desk.index.insert(&job, &self.desk.rules);
        self.jobs.insert(job.id.clone(), job);
    }

    /// Says before a batch of events that a name in it belonged to a job which was removed.
    pub(crate) fn recall_removed(&mut self, id: JobId) {
        self.removed.insert(id);
    }

    /// Puts a sweep where its trials are, or where an event names it. What it has room for is launched with the next
    /// event.
    pub(crate) fn recall_sweep(&mut self, sweep: Sweep) {
        let trials = (1..=sweep.launched()).map(|number| sweep.id.trial(number));
        let trials: Vec<JobId> = trials.filter(|job_id| self.jobs.contains_key(job_id)).collect();
        self.desk.sweeps.insert(sweep);
        for job in trials.iter().filter_map(|job_id| self.jobs.get(job_id)) {
            self.desk.sweeps.sync(job);
        }
    }

    /// Drops the jobs and sweeps that have ended, once they are saved.
    pub(crate) fn retire(&mut self) {
        self.removed.clear();
        for id in self.desk.index.take_ended() {
            if self.jobs.get(&id).is_some_and(|job| job.state().is_end()) {
                self.jobs.remove(&id);
            }
        }
        self.desk.sweeps.retire();
    }
}

/// How many jobs there are that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Census {
    pub(crate) queued: usize,
    pub(crate) offered: usize,
    pub(crate) running: usize,
    pub(crate) backing_off: usize,
    pub(crate) paused: usize,
}

#[cfg(test)]
pub(crate) mod tests;
