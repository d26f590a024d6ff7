//! Everything besides the jobs: the rules, the workers, the indexes, the present moment, and what is to be done.

use std::{collections::BTreeSet, time::Duration};

use contract::{JobId, Timestamp, Workload};
use policy::{Choice, Placement, Terms, choose};

use super::{
    Command, JobEvent, Offer, Rules, Worker,
    index::{Index, Queue},
    job::{Job, Phase},
    money::Purses,
    past::Past,
    sweeps::Sweeps,
    workers::Workers,
};

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) rules: Rules,
    pub(super) workers: Workers,
    pub(super) index: Index,
    pub(super) sweeps: Sweeps,
    pub(super) purses: Purses,
    pub(super) past: Past,
    pub(super) now: Timestamp,
    /// How many jobs have been accepted.
    pub(super) arrivals: u64,
    /// Until then silence means nothing: this scheduler has just started, or has just been cut off.
    pub(super) quiet_until: Timestamp,
    /// When the last tick was.
    pub(super) ticked_at: Timestamp,
    /// Jobs whose progress has not been saved.
    pub(super) unsaved: BTreeSet<JobId>,
    /// Since when.
    pub(super) saved_at: Timestamp,
    pub(super) commands: Vec<Command>,
}

impl Desk {
    pub(super) fn new(rules: Rules, workers: Workers, now: Timestamp) -> Self {
        let quiet_until = now.plus(rules.lease.to_duration());
        let mut desk = Self {
            rules,
            workers,
            index: Index::default(),
            sweeps: Sweeps::default(),
            purses: Purses::default(),
            past: Past::default(),
            now,
            arrivals: 0,
            quiet_until,
            ticked_at: now,
            unsaved: BTreeSet::new(),
            saved_at: now,
            commands: Vec::new(),
        };
        desk.count_slots();
        desk
    }

    /// Moves a job to another phase: the one way to do so.
    pub(super) fn enter(&mut self, job: &mut Job, phase: Phase) {
        self.index.remove(job);
        job.enter_waiting(self.now);
        job.phase = phase;
        self.index.insert(job, &self.rules);
        self.purses.note(job, &self.rules);
        self.sweeps.note(job);
        self.save(job);
    }

    /// Moves a job to another kind of machine.
    pub(super) fn place(&mut self, job: &mut Job, placement: Placement) {
        self.index.remove(job);
        job.placement = placement;
        self.index.insert(job, &self.rules);
    }

    pub(super) fn save(&mut self, job: &Job) {
        self.unsaved.remove(&job.id);
        self.commands.push(Command::SaveJob(job.id.clone()));
    }

    pub(super) fn tell(&mut self, event: JobEvent) {
        self.commands.push(Command::Tell(event));
    }

    /// Publishes the job's next attempt to the queue of its placement.
    pub(super) fn publish(&mut self, job: &Job, due: Timestamp) {
        self.commands.push(Command::Offer(Offer {
            job_id: job.id.clone(),
            attempt: job.next_attempt(),
            workload: job.submission.workload.clone(),
            placement: job.placement.clone(),
            due,
            traceparent: job.traceparent.clone(),
        }));
    }

    /// Where a job would run now.
    pub(super) fn choose(&self, job: &Job) -> Choice {
        self.choose_under(&job.submission.workload, &job.terms, job.outgrown_mib)
    }

    /// Where a job of these terms would run now.
    pub(super) fn choose_under(
        &self,
        workload: &Workload,
        terms: &Terms,
        outgrown_mib: Option<u64>,
    ) -> Choice {
        choose(terms, outgrown_mib, |placement| 0 < self.workers.slots(&queue_of(workload, placement)))
    }

    /// Whether a worker is there: it was heard within the length of a lease, or could not have been.
    pub(super) fn is_live(&self, worker: &Worker) -> bool {
        self.now < self.quiet_until || self.now < worker.heard_at.plus(self.rules.lease.to_duration())
    }

    /// Counts the slots of the live workers again.
    pub(super) fn count_slots(&mut self) {
        let (now, quiet_until, lease) = (self.now, self.quiet_until, self.rules.lease.to_duration());
        self.workers.count_slots(|worker| now < quiet_until || now < worker.heard_at.plus(lease));
    }

    /// How long an attempt that was told to stop may still be heard.
    pub(super) fn patience(&self) -> Duration {
        self.rules.grace.to_duration() + self.rules.lease.to_duration()
    }
}

pub(super) fn queue_of(workload: &Workload, placement: &Placement) -> Queue {
    Queue { workload: workload.clone(), placement: placement.clone() }
}
