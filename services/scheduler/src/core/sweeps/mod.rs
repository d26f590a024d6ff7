//! Sweeps: jobs that are launched one after the other, and compared while they run.
//!
//! A sweep keeps what its trials have come to; everything else about a trial is its job's. Which trials there are
//! follows from the submission, so that launching the same one twice is not possible: the number of the last one that
//! was launched is written in the same transaction as its job.

mod control;
mod launch;
mod record;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use contract::{JobId, SweepId};
use serde::{Deserialize, Serialize};

pub(crate) use self::record::Sweep;
use super::job::Job;

/// Which trial of which sweep a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrialOf {
    /// The sweep.
    pub(crate) sweep: SweepId,
    /// The trial's number, from 1.
    pub(crate) number: u32,
}

/// The sweeps that have not ended, and those recalled.
#[derive(Debug, Default)]
pub(super) struct Sweeps {
    by_id: BTreeMap<SweepId, Sweep>,
    /// Those that may have room for another trial.
    ripe: BTreeSet<SweepId>,
    /// Those that have changed since they were last saved.
    changed: BTreeSet<SweepId>,
    /// Those that may have ended.
    touched: BTreeSet<SweepId>,
}

impl Sweeps {
    pub(super) fn get(&self, id: &SweepId) -> Option<&Sweep> {
        self.by_id.get(id)
    }

    /// A sweep to be changed: it is saved, and looked at for room.
    fn change(&mut self, id: &SweepId) -> Option<&mut Sweep> {
        let sweep = self.by_id.get_mut(id)?;
        self.ripe.insert(id.clone());
        self.changed.insert(id.clone());
        self.touched.insert(id.clone());
        Some(sweep)
    }

    /// Takes in a sweep that is new, or was saved.
    pub(super) fn insert(&mut self, sweep: Sweep) {
        self.ripe.insert(sweep.id.clone());
        self.touched.insert(sweep.id.clone());
        self.by_id.insert(sweep.id.clone(), sweep);
    }

    /// Takes note of where a trial's job stands.
    pub(super) fn note(&mut self, job: &Job) {
        let Some(TrialOf { sweep, number }) = &job.trial else { return };
        let trial = self.get(sweep).and_then(|sweep| sweep.trial(*number));
        let is_news = trial.is_some_and(|trial| {
            trial.end.is_some() != job.phase.is_end() || trial.usd.to_bits() != job.ledger.usd.to_bits()
        });
        if is_news && let Some(sweep) = self.change(sweep) {
            sweep.note(*number, job);
        }
    }

    /// Takes note of what a trial's job has cost before its sweep was read.
    pub(super) fn sync(&mut self, job: &Job) {
        let Some(TrialOf { sweep, number }) = &job.trial else { return };
        if let Some(trial) = self.by_id.get_mut(sweep).and_then(|sweep| sweep.trial_mut(*number)) {
            trial.usd = job.ledger.usd;
        }
    }

    /// The sweep that a job's name belongs to, if the name is that of a trial which was or may be launched.
    pub(super) fn owner_of(&self, job_id: &JobId) -> Option<&Sweep> {
        let (sweep, number) = job_id.as_str().rsplit_once('-')?;
        let sweep = self.by_id.get(&SweepId::new(sweep).ok()?)?;
        let number: u32 = number.parse().ok()?;
        ((1..=sweep.count).contains(&number) && sweep.id.trial(number) == *job_id).then_some(sweep)
    }

    /// Each as it is read back after it was written.
    #[cfg(test)]
    pub(super) fn saved(&self) -> Vec<Sweep> {
        let saved = |sweep: &Sweep| {
            let read: Sweep = serde_json::from_str(&serde_json::to_string(sweep).unwrap()).unwrap();
            assert_eq!(*sweep, read, "a sweep is read back as it was written");
            read
        };
        self.by_id.values().map(saved).collect()
    }

    pub(super) fn take_changed(&mut self) -> BTreeSet<SweepId> {
        std::mem::take(&mut self.changed)
    }

    /// Whether no sweep has changed since it was last looked at for room.
    pub(super) fn are_tended(&self) -> bool {
        self.ripe.is_empty()
    }

    /// Drops the sweeps that have ended.
    pub(super) fn retire(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            if self.by_id.get(&id).is_some_and(|sweep| sweep.state().is_end()) {
                self.by_id.remove(&id);
            }
        }
    }
}
