//! The promises, held against what the world gets to see.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use contract::{
    FailureClass, JobId, Month, Timestamp, Workload,
    control::JobState,
    lease::{ClaimAnswer, Verdict},
};
use policy::{Owners, WorkloadPolicy, usd};

use super::{broker::Asker, checks_sweeps::SweepChecks, saved::Saved};
use crate::core::{
    Answer, Core, Job, JobEvent, Rules,
    job::{Lease, Phase},
    tests::invariants,
};

#[derive(Default)]
pub(super) struct Checks {
    heartbeat: Duration,
    /// How many jobs of each workload, and of each owner, may be offered or run at once; what an owner may spend.
    limits: BTreeMap<Workload, usize>,
    owners: Owners,
    /// Jobs of which somebody was told that they were accepted, and those that were refused.
    accepted: BTreeSet<JobId>,
    refused: BTreeSet<JobId>,
    /// How often each job was taken in or redriven, how often it ended, and how often the world was told so.
    begun: BTreeMap<JobId, u32>,
    ended: BTreeMap<JobId, u32>,
    told: BTreeMap<JobId, u32>,
    /// The jobs that somebody paused.
    paused: BTreeSet<JobId>,
    /// The newest attempt of each job, and which process was given which.
    newest: BTreeMap<JobId, u32>,
    holders: BTreeMap<(JobId, u32), usize>,
    /// What one attempt of a job may run over its limit and its grace time through no fault of the scheduler: its process
    /// stood still.
    overrun: BTreeMap<JobId, Duration>,
    /// The longest that a heartbeat or a grant of the job was on the road: its worker is paid meanwhile.
    late: BTreeMap<JobId, Duration>,
    /// The most that an hour of each job costs.
    prices: BTreeMap<JobId, f64>,
    pub(super) sweeps: SweepChecks,
}

impl Checks {
    pub(super) fn new(rules: &Rules) -> Self {
        let limit = |policy: &WorkloadPolicy| policy.concurrency as usize;
        Self {
            heartbeat: rules.heartbeat.to_duration(),
            limits: rules
                .workloads
                .iter()
                .map(|(workload, policy)| (workload.clone(), limit(policy)))
                .collect(),
            owners: rules.owners.clone(),
            ..Self::default()
        }
    }

    /// Whether a publisher knows what became of its submission.
    pub(super) fn is_answered(&self, job_id: &JobId) -> bool {
        self.accepted.contains(job_id) || self.refused.contains(job_id)
    }

    /// Somebody has asked for this job to go on.
    pub(super) fn redriven_by_hand(&mut self, job_id: &JobId) {
        self.sweeps.redriven_by_hand(job_id);
    }

    /// The jobs that wait for somebody to resume them.
    pub(super) fn paused(&self) -> impl Iterator<Item = &JobId> {
        self.paused.iter()
    }

    /// An attempt of the job runs over its limit by so much, and the scheduler cannot help it.
    pub(super) fn excuse(&mut self, job_id: &JobId, overrun: Duration) {
        *self.overrun.entry(job_id.clone()).or_default() += overrun;
    }

    /// A heartbeat or a grant of the job was on the road for so long.
    pub(super) fn on_the_road(&mut self, job_id: &JobId, late: Duration) {
        let latest = self.late.entry(job_id.clone()).or_default();
        *latest = late.max(*latest);
    }

    /// After every step of the core.
    pub(super) fn after_step<'a>(&mut self, core: &Core, touched: impl Iterator<Item = &'a JobId>) {
        for job in touched.filter_map(|id| core.job(id)) {
            self.prices.insert(job.id.clone(), dearest(job));
            invariants::hold_of(job);
            self.spends_within_its_cap(job);
        }
    }

    fn spends_within_its_cap(&self, job: &Job) {
        let Some(cap) = job.terms.total.usd else { return };
        let heartbeat = usd(self.heartbeat, dearest(job));
        let most = cap + heartbeat + self.excess(&job.id) + 1e-9;
        assert!(
            job.ledger.usd <= most,
            "{} spends no more than a heartbeat's worth over its cap: {} USD of {cap}, and {most} at most: {:#?}",
            job.id,
            job.ledger.usd,
            job.attempts
        );
    }

    /// Whatever happens to attempts side by side, what they cost comes to no more than their owner may spend in a month.
    fn owners_keep_to_their_months(&self, saved: &Saved) {
        let mut spent = BTreeMap::<(&str, Month), f64>::new();
        for (owner, bill) in saved.bills.values() {
            for line in bill.lines() {
                *spent.entry((owner, line.month)).or_default() += line.usd;
            }
        }
        for ((owner, month), usd) in spent {
            let Some(cap) = self.owners.monthly_usd(owner) else { continue };
            let jobs = saved.bills.iter().filter(|(_, (payer, _))| payer == owner);
            let most = cap + jobs.map(|(job_id, _)| self.excess(job_id)).sum::<f64>() + 1e-9;
            assert!(
                usd <= most,
                "{owner} spends no more in a month: {usd} USD of {cap} in {month}, and {most} at most"
            );
        }
    }

    /// What a job may cost beyond a cap through no fault of the scheduler.
    fn excess(&self, job_id: &JobId) -> f64 {
        let of_job = |times: &BTreeMap<JobId, Duration>| times.get(job_id).copied().unwrap_or_default();
        let price = self.prices.get(job_id).copied().unwrap_or(0.0);
        usd(of_job(&self.overrun) + of_job(&self.late), price)
    }

    /// The operator lifts the caps of owners.
    pub(super) fn lift_caps(&mut self, rules: &Rules) {
        self.owners = rules.owners.clone();
    }

    /// After every batch that was saved.
    pub(super) fn after_commit(&self, core: &Core, saved: &Saved) {
        invariants::hold(core);
        self.limits_are_kept(saved);
        self.owners_keep_to_their_months(saved);
        self.sweeps.after_commit(core, saved, |job_id| self.excess(job_id));
        for job in core.jobs.values() {
            let kept = saved.jobs.get(&job.id);
            assert!(
                kept.is_some_and(|kept| is_saved(kept, job)),
                "{} is saved as it is: {kept:#?}\nis not\n{job:#?}",
                job.id
            );
            let ends = self.ended.get(&job.id).copied().unwrap_or(0);
            let begun = self.begun.get(&job.id).copied().unwrap_or(0);
            assert_eq!(ends + u32::from(!job.state().is_end()), begun, "{} ends once", job.id);
        }
    }

    fn limits_are_kept(&self, saved: &Saved) {
        let is_busy = |job: &&Job| matches!(job.phase, Phase::Offered { .. } | Phase::Running(_));
        let (mut by_workload, mut by_owner) = (BTreeMap::new(), BTreeMap::new());
        for job in saved.jobs.values().filter(is_busy) {
            *by_workload.entry(&job.submission.workload).or_insert(0) += 1;
            *by_owner.entry(&job.submission.owner).or_insert(0) += 1;
        }
        for (workload, busy) in by_workload {
            let most = self.limits[workload];
            assert!(busy <= most, "{workload} has {busy} jobs at once, and {most} may be offered or run");
        }
        for (owner, busy) in by_owner {
            let most = self.owners.concurrency(owner).unwrap_or(u32::MAX);
            assert!(busy <= most, "{owner} owns {busy} jobs at once, and {most} may be offered or run");
        }
    }

    /// An event was saved, to be told.
    pub(super) fn saved(&mut self, event: &JobEvent, job: Option<&Job>, reached: u64, steps: u64) {
        match event {
            JobEvent::Queued(event) => *self.begun.entry(event.job_id.clone()).or_default() += 1,
            JobEvent::Leased(event) => {
                assert!(!self.paused.contains(&event.job_id), "{} is paused, and is granted", event.job_id);
                let before = self.newest.insert(event.job_id.clone(), event.attempt).unwrap_or(0);
                assert_eq!(event.attempt, before + 1, "{} counts its attempts up", event.job_id);
            }
            JobEvent::Retrying(_) | JobEvent::Warned(_) => {}
            JobEvent::Paused(event) => drop(self.paused.insert(event.job_id.clone())),
            JobEvent::Resumed(event) => drop(self.paused.remove(&event.job_id)),
            JobEvent::Ended(event) => {
                *self.ended.entry(event.job_id.clone()).or_default() += 1;
                let was_paused = self.paused.remove(&event.job_id);
                // A trial may end with its sweep's money.
                let is_trial = job.is_some_and(|job| job.trial.is_some());
                let died_paused = was_paused && event.state == JobState::Dead;
                assert!(!died_paused || is_trial, "{} is paused, and dies", event.job_id);
                if event.state == JobState::Succeeded {
                    assert_eq!(reached, steps, "the work of {} is done when it has succeeded", event.job_id);
                    self.sweeps.succeeded(event);
                }
                let is_out_of_budget = event.failure.as_ref().map(|failure| failure.class);
                if let (Some(FailureClass::Budget), Some(job), false) = (is_out_of_budget, job, is_trial) {
                    let total = job.terms.total;
                    assert!(total.time.is_some() || total.usd.is_some(), "{} had a budget to pass", job.id);
                }
            }
        }
    }

    /// The world was told of an event; twice does no harm.
    pub(super) fn told(&mut self, event: &JobEvent) {
        if let JobEvent::Ended(event) = event {
            *self.told.entry(event.job_id.clone()).or_default() += 1;
        }
    }

    /// An answer leaves the scheduler: what it says must be saved, and must not contradict what was said before.
    pub(super) fn said(&mut self, asker: &Asker, answer: &Answer, saved: &Saved) {
        match (asker, answer) {
            (_, Answer::Accepted(accepted)) => {
                assert!(saved.knows(&accepted.job_id), "{} was said and not saved", accepted.job_id);
            }
            (Asker::Claim { process, .. }, Answer::Claim(answer)) => {
                let ClaimAnswer::Granted(grant) = &**answer else { return };
                let kept = saved.jobs.get(&grant.job_id).map_or(0, |job| job.granted);
                assert!(
                    grant.attempt <= kept,
                    "attempt {} of {} was said and not saved",
                    grant.attempt,
                    grant.job_id
                );
                let key = (grant.job_id.clone(), grant.attempt);
                let holder = *self.holders.entry(key).or_insert(*process);
                assert_eq!(holder, *process, "attempt {} of {} has one holder", grant.attempt, grant.job_id);
            }
            (Asker::Heartbeat { process, runs }, Answer::Heartbeat(answer)) => {
                for (run, verdict) in runs.iter().zip(&answer.runs) {
                    if *verdict == Verdict::Continue {
                        let is_newest = self.newest.get(&run.0) == Some(&run.1);
                        let is_holder = self.holders.get(run).is_none_or(|holder| holder == process);
                        assert!(is_newest && is_holder, "{run:?} goes on, and is not the one live lease");
                    }
                }
            }
            _ => {}
        }
    }

    /// Somebody hears what became of a submission.
    pub(super) fn heard(&mut self, job_id: &JobId, answer: &Answer) {
        match answer {
            Answer::Accepted(_) => self.accepted.insert(job_id.clone()),
            Answer::Refused(_) if !self.accepted.contains(job_id) => self.refused.insert(job_id.clone()),
            _ => false,
        };
    }

    /// Whether every job that was ever accepted has ended.
    pub(super) fn is_over(&self, saved: &Saved) -> bool {
        saved.jobs.values().all(|job| job.state().is_end())
            && saved.sweeps.values().all(|sweep| sweep.state().is_end())
    }

    /// When nothing is left to happen.
    pub(super) fn at_the_end(&self, saved: &Saved) {
        for job_id in &self.accepted {
            assert!(saved.knows(job_id), "{job_id} was accepted and is not there any more");
        }
        for (job_id, job) in &saved.jobs {
            assert!(job.state().is_end(), "{job_id} has ended");
        }
        for (job_id, begun) in &self.begun {
            let ended = self.ended.get(job_id).copied().unwrap_or(0);
            let told = self.told.get(job_id).copied().unwrap_or(0);
            assert_eq!(*begun, ended, "{job_id} has ended as often as it began");
            assert!(ended <= told, "the world was never told of its end: {job_id}");
        }
        assert!(saved.outbox.is_empty(), "everything was sent: {:?}", saved.outbox);
    }
}

/// The most that an hour of the job's attempts costs.
fn dearest(job: &Job) -> f64 {
    job.terms.candidates.iter().map(|candidate| candidate.price.usd_per_hour).fold(0.0, f64::max)
}

/// Whether a saved job is as good as the one in memory: only what heartbeats tell may be older.
fn is_saved(kept: &Job, job: &Job) -> bool {
    let is_same_phase = match (&kept.phase, &job.phase) {
        (Phase::Running(kept), Phase::Running(lease)) => {
            *kept == Lease { heard_at: kept.heard_at, ..lease.clone() }
        }
        (kept, phase) => kept == phase,
    };
    let open = |job: &Job| job.attempts.iter().map(|attempt| (attempt.attempt, attempt.ended_at)).collect();
    let attempts: (Vec<_>, Vec<(u32, Option<Timestamp>)>) = (open(kept), open(job));
    is_same_phase
        && kept.granted == job.granted
        && kept.ledger == job.ledger
        && kept.bill == job.bill
        && kept.charged == job.charged
        && kept.terms == job.terms
        && attempts.0 == attempts.1
}
