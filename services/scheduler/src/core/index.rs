//! Who waits where: everything that would otherwise mean looking at every job.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use contract::{JobId, Timestamp, WorkerId, Workload};
use policy::{Placement, placements};

use super::{
    Census, Rules,
    job::{Job, Phase},
    timers::Timers,
};

/// After how long an offer that nobody has claimed is looked at again.
pub(super) const OFFER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// Indexes over the jobs, by phase. A job is taken out before its phase changes and put in again afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    /// Jobs that wait for their turn. Those that may run on the same machines stand in one lane, so that a job nobody
    /// can run does not stand in the way of the others.
    lanes: BTreeMap<Workload, BTreeMap<Vec<Placement>, BTreeSet<Turn>>>,
    /// Unclaimed offers by queue.
    offers: HashMap<Queue, u32>,
    /// Jobs by workload that are offered or run.
    busy: BTreeMap<Workload, Busy>,
    /// The jobs that a worker runs.
    held: HashMap<WorkerId, BTreeSet<JobId>>,
    /// When each job is to be looked at again.
    pub(super) timers: Timers,
    queued: usize,
    backing_off: usize,
    ended: Vec<JobId>,
}

/// A job's place in its lane: higher priorities first, then older jobs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    priority: Reverse<u8>,
    submitted_at: Timestamp,
    arrival: u64,
    pub(super) job_id: JobId,
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

impl Index {
    pub(super) fn insert(&mut self, job: &Job, rules: &Rules) {
        let workload = &job.submission.workload;
        match &job.phase {
            Phase::Queued => {
                self.queued += 1;
                let lanes = self.lanes.entry(workload.clone()).or_default();
                lanes.entry(placements(&job.terms, job.outgrown_mib)).or_default().insert(turn(job));
            }
            Phase::Offered { .. } => {
                self.busy.entry(workload.clone()).or_default().offered += 1;
                *self.offers.entry(queue(job)).or_default() += 1;
            }
            Phase::Running(lease) => {
                self.busy.entry(workload.clone()).or_default().running += 1;
                self.held.entry(lease.worker.clone()).or_default().insert(job.id.clone());
            }
            Phase::BackingOff { .. } => self.backing_off += 1,
            Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {
                self.ended.push(job.id.clone());
            }
        }
        if let Some(at) = next_look(job, rules) {
            self.timers.arm(&job.id, at);
        }
    }

    pub(super) fn remove(&mut self, job: &Job) {
        let workload = &job.submission.workload;
        match &job.phase {
            Phase::Queued => {
                self.queued -= 1;
                if let Some(lanes) = self.lanes.get_mut(workload) {
                    let places = placements(&job.terms, job.outgrown_mib);
                    if let Some(lane) = lanes.get_mut(&places) {
                        lane.remove(&turn(job));
                        if lane.is_empty() {
                            lanes.remove(&places);
                        }
                    }
                }
            }
            Phase::Offered { .. } => {
                self.busy.entry(workload.clone()).or_default().offered -= 1;
                *self.offers.entry(queue(job)).or_default() -= 1;
            }
            Phase::Running(lease) => {
                self.busy.entry(workload.clone()).or_default().running -= 1;
                if let Some(held) = self.held.get_mut(&lease.worker) {
                    held.remove(&job.id);
                    if held.is_empty() {
                        self.held.remove(&lease.worker);
                    }
                }
            }
            Phase::BackingOff { .. } => self.backing_off -= 1,
            Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => {}
        }
        self.timers.disarm(&job.id);
    }

    pub(super) fn take_ended(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn busy(&self, workload: &Workload) -> Busy {
        self.busy.get(workload).copied().unwrap_or_default()
    }

    /// The workloads of which jobs wait.
    pub(super) fn waiting_workloads(&self) -> Vec<Workload> {
        let waiting = self.lanes.iter().filter(|(_, lanes)| !lanes.is_empty());
        waiting.map(|(workload, _)| workload.clone()).collect()
    }

    /// The lanes of a workload, each with the job whose turn it is there.
    pub(super) fn lanes(&self, workload: &Workload) -> impl Iterator<Item = (&[Placement], &Turn)> {
        let lanes = self.lanes.get(workload).into_iter().flatten();
        lanes.filter_map(|(places, lane)| Some((places.as_slice(), lane.first()?)))
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
            queued: self.queued,
            offered: self.busy.values().map(|busy| busy.offered as usize).sum(),
            running: self.busy.values().map(|busy| busy.running as usize).sum(),
            backing_off: self.backing_off,
        }
    }
}

#[cfg(test)]
impl Index {
    /// Whether this says the same of the jobs as `other`, the moments of timers aside.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let plain = |index: &Self| {
            let mut index = Self { timers: Timers::default(), ended: Vec::new(), ..index.clone() };
            index.lanes.retain(|_, lanes| !lanes.is_empty());
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

fn turn(job: &Job) -> Turn {
    Turn {
        priority: Reverse(job.submission.priority),
        submitted_at: job.submitted_at,
        arrival: job.arrival,
        job_id: job.id.clone(),
    }
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
        Phase::Succeeded { .. } | Phase::Dead { .. } | Phase::Cancelled { .. } => None,
    }
}
