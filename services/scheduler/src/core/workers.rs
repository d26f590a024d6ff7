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
    /// Whether it drains: it takes nothing new. Kept whatever becomes of its process.
    #[serde(default)]
    pub(crate) draining: bool,
    /// Whether its process has said good-bye, and the record is kept because it drains.
    #[serde(default)]
    pub(crate) gone: bool,
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
            let worker = Worker { hello, heard_at: now, replaced: Vec::new(), draining: false, gone: false };
            self.by_id.insert(worker.hello.worker.clone(), worker);
            return Greeting::Known;
        };
        let before = worker.hello.incarnation;
        if worker.replaced.contains(&hello.incarnation) {
            return Greeting::Replaced(before);
        }
        let is_another = before != hello.incarnation;
        // What a process that said good-bye held ends with its own reports, or runs out.
        let was_gone = std::mem::replace(&mut worker.gone, false);
        worker.hello = hello;
        worker.heard_at = now;
        if !is_another || was_gone {
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
            Some(worker) if worker.hello.incarnation == incarnation && !worker.gone => {
                worker.heard_at = now;
                true
            }
            _ => false,
        }
    }

    /// Lets a worker go; `false` when this life of its process is not the present one. One that drains is remembered.
    pub(super) fn part(&mut self, id: &WorkerId, incarnation: Incarnation) -> bool {
        let is_present = self.is_present(id, incarnation);
        if is_present {
            match self.by_id.get_mut(id) {
                Some(worker) if worker.draining => worker.gone = true,
                _ => drop(self.by_id.remove(id)),
            }
        }
        is_present
    }

    /// Has a worker drain, or not any more; the worker, if there is one. One that has gone is forgotten then.
    pub(super) fn drain(&mut self, id: &WorkerId, draining: bool) -> Option<Worker> {
        let worker = self.by_id.get_mut(id)?;
        worker.draining = draining;
        let worker = worker.clone();
        if worker.gone && !draining {
            self.by_id.remove(id);
        }
        Some(worker)
    }

    /// Counts again what is offered by the workers that `is_live`, as far as they take work.
    pub(super) fn count_slots(&mut self, is_live: impl Fn(&Worker) -> bool) {
        self.slots.clear();
        let takes_work = |worker: &&Worker| worker.takes_work() && is_live(worker);
        for worker in self.by_id.values().filter(takes_work) {
            *self.slots.entry(worker.queue()).or_default() += worker.hello.slots;
        }
    }

    /// How many attempts the live workers of a queue run side by side.
    pub(super) fn slots(&self, queue: &Queue) -> u32 {
        self.slots.get(queue).copied().unwrap_or(0)
    }

    /// Forgets the workers that have been silent for very long, unless they drain.
    pub(super) fn forget_silent(&mut self, now: Timestamp) -> Vec<WorkerId> {
        let is_silent = |worker: &&Worker| !worker.draining && FORGOTTEN_AFTER < now.since(worker.heard_at);
        let silent = self.by_id.values().filter(is_silent);
        let silent: Vec<WorkerId> = silent.map(|worker| worker.hello.worker.clone()).collect();
        for id in &silent {
            self.by_id.remove(id);
        }
        silent
    }
}

impl Worker {
    /// Whether it takes offers: it does not drain, and its GPU is its own.
    pub(super) fn takes_work(&self) -> bool {
        !self.draining && self.hello.paused.is_none()
    }

    /// The queue it takes offers from.
    pub(super) fn queue(&self) -> Queue {
        let Hello { workload, gpu, tier, .. } = &self.hello;
        let placement = Placement { gpu: gpu.clone(), tier: *tier };
        Queue { workload: workload.clone(), placement }
    }
}
