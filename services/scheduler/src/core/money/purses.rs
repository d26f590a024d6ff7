//! Whose money an attempt costs: its job's own, its sweep's, and its owner's of a month.

use std::{collections::BTreeMap, time::Duration};

use contract::{JobId, Month, SweepId, Timestamp};
use policy::{affordable, usd};
use serde::{Deserialize, Serialize};

use crate::core::{
    Rules,
    job::{Job, Phase},
};

/// Longer than any attempt with the time in which it stops.
const LONGEST: Duration = Duration::from_secs(48 * 3600);

/// What may run out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub(crate) enum Purse {
    /// The total of the job.
    Job,
    /// The total of the sweep that the job is a trial of.
    Sweep {
        /// Which.
        sweep: SweepId,
    },
    /// What its owner may spend in a month.
    Owner {
        /// Who.
        owner: String,
        /// When.
        month: Month,
    },
}

/// What an attempt may yet cost: the time that it may still take, on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    /// From when on that is not paid yet.
    pub(crate) from: Timestamp,
    /// Until when, at most.
    pub(crate) until: Timestamp,
    /// What an hour costs.
    pub(crate) usd_per_hour: f64,
}

impl Reservation {
    fn usd(&self) -> f64 {
        usd(self.until.since(self.from), self.usd_per_hour)
    }

    /// The share of a month.
    fn usd_in(&self, month: Month) -> f64 {
        let shares = Month::split(self.from, self.until).filter(|(other, _)| *other == month);
        shares.map(|(_, time)| usd(time, self.usd_per_hour)).sum()
    }
}

/// What a job has reserved.
#[derive(Debug, Clone, PartialEq, Default)]
struct Reserved {
    /// For the attempt that is offered or runs.
    attempt: Option<Reservation>,
    /// For attempts that were lost and may still run somewhere.
    lost: Vec<Reservation>,
}

impl Reserved {
    fn of(job: &Job, rules: &Rules) -> Self {
        let (from, limit) = match &job.phase {
            Phase::Offered { .. } => (job.offered_since, Some(job.planned)),
            Phase::Running(lease) => (lease.granted_at, Some(lease.run_limit)),
            _ => (Timestamp::default(), None),
        };
        let usd_per_hour = job.terms.usd_per_hour(&job.placement);
        let until = |limit: contract::Seconds| from.plus(limit.to_duration() + rules.margin());
        let attempt = limit.map(|limit| Reservation { from, until: until(limit), usd_per_hour });
        Self { attempt, lost: job.lost.clone() }
    }

    /// The sum of what is still to be counted, each by `price`.
    fn sum(&self, now: Timestamp, price: impl Fn(&Reservation) -> f64) -> f64 {
        let lost = self.lost.iter().filter(|lost| now < lost.until);
        self.attempt.iter().chain(lost).map(price).sum()
    }
}

/// What jobs have reserved and what owners have spent. All of it follows from the jobs and their bills.
#[derive(Debug, Default)]
pub(crate) struct Purses {
    /// What the attempts that are over have cost.
    spent: BTreeMap<(String, Month), f64>,
    owners: BTreeMap<String, BTreeMap<JobId, Reserved>>,
    sweeps: BTreeMap<SweepId, BTreeMap<JobId, Reserved>>,
}

impl Purses {
    /// Takes note of what a job has reserved now.
    pub(in crate::core) fn note(&mut self, job: &Job, rules: &Rules) {
        let reserved = Reserved::of(job, rules);
        set(&mut self.owners, &job.submission.owner, job, &reserved);
        if let Some(trial) = &job.trial {
            set(&mut self.sweeps, &trial.sweep, job, &reserved);
        }
    }

    /// Enters what an owner has spent in a month.
    pub(in crate::core) fn spend(&mut self, owner: &str, month: Month, usd: f64) {
        *self.spent.entry((owner.to_owned(), month)).or_default() += usd;
    }

    /// Forgets the months before one.
    pub(in crate::core) fn forget_before(&mut self, month: Month) {
        self.spent.retain(|(_, other), _| month <= *other);
    }

    /// The owners that have spent or reserved something.
    pub(in crate::core) fn owners(&self) -> impl Iterator<Item = &String> {
        self.spent.keys().map(|(owner, _)| owner).chain(self.owners.keys())
    }

    /// What an owner's attempts have cost that are over.
    pub(in crate::core) fn spent(&self, owner: &str, month: Month) -> f64 {
        self.spent.get(&(owner.to_owned(), month)).copied().unwrap_or(0.0)
    }

    /// What an owner's jobs have reserved of a month, without those of one job.
    pub(in crate::core) fn reserved(
        &self,
        owner: &str,
        month: Month,
        now: Timestamp,
        without: Option<&JobId>,
    ) -> f64 {
        let jobs = self.owners.get(owner).into_iter().flatten().filter(|(id, _)| Some(*id) != without);
        jobs.map(|(_, reserved)| reserved.sum(now, |one| one.usd_in(month))).sum()
    }

    /// What a sweep's trials have reserved, without those of one job.
    pub(in crate::core) fn reserved_by_sweep(
        &self,
        sweep: &SweepId,
        now: Timestamp,
        without: Option<&JobId>,
    ) -> f64 {
        let jobs = self.sweeps.get(sweep).into_iter().flatten().filter(|(id, _)| Some(*id) != without);
        jobs.map(|(_, reserved)| reserved.sum(now, Reservation::usd)).sum()
    }

    /// How long an owner who may spend `cap` a month can pay for a machine from a moment on, the month that ends it, and
    /// what is left of that.
    pub(in crate::core) fn affordable_by_owner(
        &self,
        job: &Job,
        cap: f64,
        usd_per_hour: f64,
        from: Timestamp,
    ) -> (Duration, Month, f64) {
        let owner = &job.submission.owner;
        let (mut time, mut month) = (Duration::ZERO, Month::of(from));
        loop {
            let left = cap - self.spent(owner, month) - self.reserved(owner, month, from, Some(&job.id));
            let (lasts, whole) =
                (affordable(left, usd_per_hour), month.next().start().since(from.plus(time)));
            time = time.saturating_add(lasts.min(whole));
            if lasts < whole || LONGEST < time {
                return (time, month, left);
            }
            month = month.next();
        }
    }
}

#[cfg(test)]
impl Purses {
    /// Forgets what is reserved, which is wrong.
    pub(in crate::core) fn forget_reserved(&mut self) {
        self.owners.clear();
        self.sweeps.clear();
    }

    /// Forgets what is reserved of sweeps' money, which is wrong.
    pub(in crate::core) fn forget_reserved_by_sweeps(&mut self) {
        self.sweeps.clear();
    }

    /// Forgets what owners have spent, which is wrong.
    pub(in crate::core) fn forget_spent(&mut self) {
        self.spent.clear();
    }
}

fn set<K: Ord + Clone>(
    accounts: &mut BTreeMap<K, BTreeMap<JobId, Reserved>>,
    account: &K,
    job: &Job,
    reserved: &Reserved,
) {
    if *reserved != Reserved::default() {
        accounts.entry(account.clone()).or_default().insert(job.id.clone(), reserved.clone());
    } else if let Some(jobs) = accounts.get_mut(account) {
        jobs.remove(&job.id);
        if jobs.is_empty() {
            accounts.remove(account);
        }
    }
}
