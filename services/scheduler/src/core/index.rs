//! Who waits where: everything that would otherwise mean looking at every job.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contract::{JobId, Timestamp, WorkerId, Workload};
use policy::Placement;

use super::{
    Census, Rules,
    job::{Job, Phase},
    lines::Lines,
    money::{Account, Parked},
    timers::Timers,
};

/// After how long an offer that nobody has claimed is looked at again.
pub(super) const OFFER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// Indexes over the jobs, by phase. A job is taken out before its phase changes and put in again afterwards.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Index {
    /// Jobs that wait for their turn.
    pub(super) lines: Lines,
    /// Jobs that wait for money, and stand in no line meanwhile.
    pub(super) parked: Parked,
    /// Unclaimed offers by queue.
    offers: HashMap<Queue, u32>,
    /// Jobs by workload that are offered or run.
    busy: BTreeMap<Workload, Busy>,
    /// The same by owner.
    owners: HashMap<String, BTreeMap<Workload, Busy>>,
    /// The jobs that a worker runs.
    held: HashMap<WorkerId, BTreeSet<JobId>>,
    /// When each job is to be looked at again.
    pub(super) timers: Timers,
    backing_off: usize,
    paused: usize,
    ended: Vec<JobId>,
}

/// A queue of offers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Queue {
    pub(super) workload: Workload,
    pub(super) placement: Placement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Busy {
    pub(super) running: u32,
    pub(super) offered: u32,
}

impl Busy {
    pub(super) fn total(self) -> u32 {
        self.running + self.offered
    }
}

impl Index {
    pub(super) fn insert(&mut self, job: &Job, rules: &Rules) {
        match &job.phase {
            Phase::Queued => self.lines.insert(job),
            Phase::Offered { .. } => {
                self.tally(job, |busy| busy.offered += 1);
                *self.offers.entry(queue(job)).or_default() += 1;
            }
            Phase::Running(lease) => {
                self.tally(job, |busy| busy.running += 1);
                self.held.entry(lease.worker.clone()).or_default().insert(job.id.clone());
            }
            Phase::BackingOff { .. } => self.backing_off += 1,
            Phase::Paused { .. } => self.paused += 1,
            Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {
                self.ended.push(job.id.clone());
            }
        }
        if let Some(at) = next_look(job, rules) {
            self.timers.arm(&job.id, at);
        }
    }

    pub(super) fn remove(&mut self, job: &Job) {
        match &job.phase {
            Phase::Queued if self.parked.remove(job) => {}
            Phase::Queued => self.lines.remove(job),
            Phase::Offered { .. } => {
                self.tally(job, |busy| busy.offered -= 1);
                *self.offers.entry(queue(job)).or_default() -= 1;
            }
            Phase::Running(lease) => {
                self.tally(job, |busy| busy.running -= 1);
                if let Some(held) = self.held.get_mut(&lease.worker) {
                    held.remove(&job.id);
                    if held.is_empty() {
                        self.held.remove(&lease.worker);
                    }
                }
            }
            Phase::BackingOff { .. } => self.backing_off -= 1,
            Phase::Paused { .. } => self.paused -= 1,
            Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {}
        }
        self.timers.disarm(&job.id);
    }

    /// Counts a job that is offered or runs, once for its workload and once for its owner.
    fn tally(&mut self, job: &Job, count: impl Fn(&mut Busy)) {
        let (workload, owner) = (&job.submission.workload, &job.submission.owner);
        count(self.busy.entry(workload.clone()).or_default());
        let shares = self.owners.entry(owner.clone()).or_default();
        count(shares.entry(workload.clone()).or_default());
        shares.retain(|_, busy| *busy != Busy::default());
        if shares.is_empty() {
            self.owners.remove(owner);
        }
    }

    /// Has a queued job wait for money.
    pub(super) fn park(&mut self, job: &Job, account: Account, needed: f64) {
        if !self.parked.remove(job) {
            self.lines.remove(job);
        }
        self.parked.insert(job, account, needed);
    }

    /// Puts a queued job back into its line that waited for money.
    pub(super) fn unpark(&mut self, job: &Job) {
        if self.parked.remove(job) {
            self.lines.insert(job);
        }
    }

    pub(super) fn take_ended(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn busy(&self, workload: &Workload) -> Busy {
        self.busy.get(workload).copied().unwrap_or_default()
    }

    /// How many jobs of an owner are offered or run, over all workloads.
    pub(super) fn busy_of(&self, owner: &str) -> u32 {
        self.owners.get(owner).into_iter().flat_map(BTreeMap::values).map(|busy| busy.total()).sum()
    }

    /// How many of them are of one workload.
    pub(super) fn busy_share(&self, owner: &str, workload: &Workload) -> u32 {
        self.owners.get(owner).and_then(|shares| shares.get(workload)).map_or(0, |busy| busy.total())
    }

    pub(super) fn offers(&self, queue: &Queue) -> u32 {
        self.offers.get(queue).copied().unwrap_or(0)
    }

    /// The jobs that a worker runs, by name.
    pub(super) fn held_by(&self, worker: &WorkerId) -> impl Iterator<Item = &JobId> {
        self.held.get(worker).into_iter().flatten()
    }

    pub(super) fn census(&self) -> Census {
        Census {
            queued: self.lines.jobs() + self.parked.jobs(),
            offered: self.busy.values().map(|busy| busy.offered as usize).sum(),
            running: self.busy.values().map(|busy| busy.running as usize).sum(),
            backing_off: self.backing_off,
            paused: self.paused,
        }
    }
}

#[cfg(test)]
impl Index {
    /// Whether this says the same of the jobs as `other`, the moments of timers aside.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let plain = |index: &Self| {
            let mut index = Self { timers: Timers::default(), ended: Vec::new(), ..index.clone() };
            index.lines = index.lines.plain();
            index.offers.retain(|_, offers| *offers != 0);
            index.busy.retain(|_, busy| *busy != Busy::default());
            index
        };
        plain(self) == plain(other)
    }
}

/// The queue that an offered job lies in.
pub(super) fn queue(job: &Job) -> Queue {
    Queue { workload: job.submission.workload.clone(), placement: job.placement.clone() }
}

/// When something may have to happen to a job even if nobody says a word.
pub(super) fn next_look(job: &Job, rules: &Rules) -> Option<Timestamp> {
    let total_over = || job.left(job.since).time.map(|left| job.since.plus(left));
    match &job.phase {
        Phase::Queued => total_over(),
        Phase::Offered { at } => {
            let claim_ends = job.offered_since.plus(rules.claim_timeout.to_duration());
            let looks = [at.plus(OFFER_PATIENCE)].into_iter().chain((*at < claim_ends).then_some(claim_ends));
            looks.chain(total_over()).min()
        }
        Phase::BackingOff { due, .. } => total_over().into_iter().chain([*due]).min(),
        Phase::Running(lease) => {
            let gone_by = lease.gone_by(rules.grace.to_duration() + rules.lease.to_duration());
            Some(gone_by.min(lease.heard_at.plus(rules.lease.to_duration())))
        }
        Phase::Paused { .. } | Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => None,
    }
}
