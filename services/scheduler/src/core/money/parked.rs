//! Jobs that wait for money. They stand in no lane, so that nobody else waits behind them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use contract::{JobId, SweepId, Timestamp};

use super::Purse;
use crate::core::job::Job;

/// Whose money a job waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::core) enum Account {
    /// Its sweep's.
    Sweep(SweepId),
    /// Its owner's.
    Owner(String),
}

impl Account {
    /// The account of a purse that others fill again; nobody fills a job's own.
    pub(in crate::core) fn of(purse: &Purse) -> Option<Self> {
        match purse {
            Purse::Job => None,
            Purse::Sweep { sweep } => Some(Self::Sweep(sweep.clone())),
            Purse::Owner { owner, .. } => Some(Self::Owner(owner.clone())),
        }
    }
}

/// Who gets what comes in: higher priorities first, then older jobs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    priority: Reverse<u8>,
    submitted_at: Timestamp,
    arrival: u64,
    job_id: JobId,
}

impl Turn {
    fn of(job: &Job) -> Self {
        Self {
            priority: Reverse(job.submission.priority),
            submitted_at: job.submitted_at,
            arrival: job.arrival,
            job_id: job.id.clone(),
        }
    }
}

/// The jobs that wait for money, by account, each with what it needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::core) struct Parked {
    turns: BTreeMap<Account, BTreeMap<Turn, f64>>,
    accounts: HashMap<JobId, Account>,
}

impl Parked {
    pub(in crate::core) fn insert(&mut self, job: &Job, account: Account, needed: f64) {
        self.accounts.insert(job.id.clone(), account.clone());
        self.turns.entry(account).or_default().insert(Turn::of(job), needed);
    }

    /// Takes a job out; whether it was in.
    pub(in crate::core) fn remove(&mut self, job: &Job) -> bool {
        let Some(account) = self.accounts.remove(&job.id) else { return false };
        if let Some(turns) = self.turns.get_mut(&account) {
            turns.remove(&Turn::of(job));
            if turns.is_empty() {
                self.turns.remove(&account);
            }
        }
        true
    }

    /// How many wait.
    pub(in crate::core) fn jobs(&self) -> usize {
        self.accounts.len()
    }

    pub(in crate::core) fn contains(&self, job_id: &JobId) -> bool {
        self.accounts.contains_key(job_id)
    }

    pub(in crate::core) fn accounts(&self) -> Vec<Account> {
        self.turns.keys().cloned().collect()
    }

    /// Those who wait for an account's money, in order of their turns, each with what it needs.
    pub(in crate::core) fn turns(&self, account: &Account) -> impl Iterator<Item = (&JobId, f64)> {
        let turns = self.turns.get(account).into_iter().flatten();
        turns.map(|(turn, needed)| (&turn.job_id, *needed))
    }

    /// What a job waits for.
    #[cfg(test)]
    pub(in crate::core) fn entry(&self, job: &Job) -> Option<(Account, f64)> {
        let account = self.accounts.get(&job.id)?;
        Some((account.clone(), self.turns[account][&Turn::of(job)]))
    }
}
