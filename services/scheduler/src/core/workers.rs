//! The workers that have said hello.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use contract::{Incarnation, Timestamp, WorkerId, lease::Hello};
use policy::Placement;
use serde::{Deserialize, Serialize};

use super::index::Queue;

/// A worker that has been silent for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// How many earlier lives of a worker's process are remembered.
const LIVES_REMEMBERED: usize = 8;

/// A worker, as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Worker {
    /// What it said of itself.
    pub(crate) hello: Hello,
    /// When it was last heard.
    pub(crate) heard_at: Timestamp,
    /// Earlier lives of its process. One that turns up again was only stopped for a while, and must not take its
    /// successor's place.
    pub(crate) replaced: Vec<Incarnation>,
}

/// All of them, and what they offer together.
#[derive(Debug)]
pub(super) struct Workers {
    by_id: BTreeMap<WorkerId, Worker>,
    /// Slots of the workers that are heard, by queue.
    slots: HashMap<Queue, u32>,
}

/// What became of a hello.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// A process that was not known, or was and says hello again.
    Known,
    /// It takes the place of an earlier life of this process.
    Replaces(Incarnation),
    /// Its own place was taken by a later one.
    Replaced(Incarnation),
}

impl Workers {
    pub(super) fn new(workers: Vec<Worker>) -> Self {
        let by_id = workers.into_iter().map(|worker| (worker.hello.worker.clone(), worker)).collect();
        Self { by_id, slots: HashMap::new() }
    }

    pub(super) fn get(&self, id: &WorkerId) -> Option<&Worker> {
        self.by_id.get(id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Worker> {
        self.by_id.values()
    }

    /// Whether this life of the worker's process is the present one.
    pub(super) fn is_present(&self, id: &WorkerId, incarnation: Incarnation) -> bool {
        self.by_id.get(id).is_some_and(|worker| worker.hello.incarnation == incarnation)
    }

    pub(super) fn greet(&mut self, hello: Hello, now: Timestamp) -> Greeting {
        let Some(worker) = self.by_id.get_mut(&hello.worker) else {
            let worker = Worker { hello, heard_at: now, replaced: Vec::new() };
            self.by_id.insert(worker.hello.worker.clone(), worker);
            return Greeting::Known;
        };
        let before = worker.hello.incarnation;
        if worker.replaced.contains(&hello.incarnation) {
            return Greeting::Replaced(before);
        }
        let is_another = before != hello.incarnation;
        worker.hello = hello;
        worker.heard_at = now;
        if !is_another {
            return Greeting::Known;
        }
        if worker.replaced.len() == LIVES_REMEMBERED {
            worker.replaced.remove(0);
        }
        worker.replaced.push(before);
        Greeting::Replaces(before)
    }

    /// Notes that a worker was heard. `false` when this life of its process is not known.
    pub(super) fn heard(&mut self, id: &WorkerId, incarnation: Incarnation, now: Timestamp) -> bool {
        match self.by_id.get_mut(id) {
            Some(worker) if worker.hello.incarnation == incarnation => {
                worker.heard_at = now;
                true
            }
            _ => false,
        }
    }

    /// Removes a worker; `false` when this life of its process is not the present one.
    pub(super) fn remove(&mut self, id: &WorkerId, incarnation: Incarnation) -> bool {
        let is_present = self.is_present(id, incarnation);
        if is_present {
            self.by_id.remove(id);
        }
        is_present
    }

    /// Counts again what is offered by the workers that `is_live`, as far as they take work.
    pub(super) fn count_slots(&mut self, is_live: impl Fn(&Worker) -> bool) {
        self.slots.clear();
        let takes_work = |worker: &&Worker| worker.hello.paused.is_none() && is_live(worker);
        for worker in self.by_id.values().filter(takes_work) {
            *self.slots.entry(worker.queue()).or_default() += worker.hello.slots;
        }
    }

    /// How many attempts the live workers of a queue run side by side.
    pub(super) fn slots(&self, queue: &Queue) -> u32 {
        self.slots.get(queue).copied().unwrap_or(0)
    }

    /// Forgets the workers that have been silent for very long.
    pub(super) fn forget_silent(&mut self, now: Timestamp) -> Vec<WorkerId> {
        let silent = self.by_id.values().filter(|worker| FORGOTTEN_AFTER < now.since(worker.heard_at));
        let silent: Vec<WorkerId> = silent.map(|worker| worker.hello.worker.clone()).collect();
        for id in &silent {
            self.by_id.remove(id);
        }
        silent
    }
}

impl Worker {
    /// The queue it takes offers from.
    pub(super) fn queue(&self) -> Queue {
        let Hello { workload, gpu, tier, .. } = &self.hello;
        let placement = Placement { gpu: gpu.clone(), tier: *tier };
        Queue { workload: workload.clone(), placement }
    }
}
