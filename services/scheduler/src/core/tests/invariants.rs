//! What holds after every step, whatever came before it.

use std::collections::BTreeSet;

use contract::{
    FailureClass, StopCause, Tier,
    control::{AttemptView, Charge, JobState},
};

use crate::core::{
    Core, Job,
    index::{Index, next_look},
};

/// Looks at every job in memory and at the indexes over them.
///
/// # Panics
/// When something does not hold.
pub(super) fn hold(core: &Core) {
    let desk = &core.desk;
    let mut index = Index::default();
    let timers = desk.index.timers.jobs();
    for job in core.jobs.values() {
        index.insert(job, &desk.rules);
        if let Some((account, needed)) = desk.index.parked.entry(job) {
            index.park(job, account, needed);
        }
        hold_of(job);
        if next_look(job, &desk.rules).is_some() {
            assert!(timers.contains(&job.id), "{} has a timer: {:?}", job.id, job.phase);
        }
    }
    for (workload, policy) in &desk.rules.workloads {
        let busy = index.busy(workload).total();
        let most = policy.concurrency;
        assert!(busy <= most, "the limit of {workload} is kept: {busy} are offered or run, and {most} may");
    }
    let owners: BTreeSet<&str> = core.jobs.values().map(|job| job.submission.owner.as_str()).collect();
    for owner in owners {
        let (busy, most) = (index.busy_of(owner), desk.rules.owners.concurrency(owner).unwrap_or(u32::MAX));
        assert!(busy <= most, "the limit of {owner} is kept: {busy} are offered or run, and {most} may");
    }
    assert!(desk.index.is_like(&index), "the indexes fit the jobs: {:?}\nis not\n{index:?}", desk.index);
}

/// Looks at one job.
///
/// # Panics
/// When something does not hold.
pub(super) fn hold_of(job: &Job) {
    let retry = &job.terms.retry;
    assert!(
        job.charged.retries <= retry.max_retries && job.charged.losses <= retry.max_losses,
        "the budgets of {} are kept: {:?} of {retry:?}",
        job.id,
        job.charged
    );
    ledger_adds_up(job);
}

/// The ledger is the sum of the attempts.
fn ledger_adds_up(job: &Job) {
    let over = job.attempts.iter().filter_map(|attempt| Some((attempt, attempt.ended_at?)));
    let running: u64 = over.clone().map(|(attempt, at)| at.0 - attempt.leased_at.0).sum();
    let usd: f64 = over.map(|(attempt, _)| attempt.usd).sum();
    assert_eq!(job.ledger.running_ms, running, "the ledger of {} is the time of its attempts", job.id);
    assert!((job.ledger.usd - usd).abs() < 1e-9, "the ledger of {} is the cost of its attempts", job.id);
    bill_adds_up(job);
    job.attempts.iter().for_each(|attempt| is_accounted_for(job, attempt));
    let pays = |attempt: &&AttemptView| attempt.charged_to.is_some_and(|charge| charge != Charge::Nothing);
    let charges = job.attempts.iter().filter(pays).count() as u32;
    let charged = job.ledger.charged;
    assert_eq!(
        charged.retries + charged.losses + charged.preemptions,
        charges,
        "the ledger of {} is the failures of its attempts",
        job.id
    );
    let open = job.attempts.iter().filter(|attempt| attempt.ended_at.is_none()).count();
    assert_eq!(open, usize::from(job.state() == JobState::Running), "{} has one attempt open", job.id);
}

/// The bill is the ledger, line by line.
fn bill_adds_up(job: &Job) {
    let lines = job.bill.lines();
    let ms: u64 = lines.iter().map(|line| line.ms).sum();
    let usd: f64 = lines.iter().map(|line| line.usd).sum();
    assert_eq!(job.ledger.running_ms, ms, "the bill of {} is the time of its ledger: {lines:?}", job.id);
    assert!(
        (job.ledger.usd - usd).abs() < 1e-9,
        "the bill of {} is the money of its ledger: {lines:?}",
        job.id
    );
    for line in lines {
        let saves = line.usd < line.usd_on_demand;
        assert_eq!(
            saves,
            line.tier == Tier::Spot && 0.0 < line.usd,
            "{} saves on spot only: {line:?}",
            job.id
        );
    }
}

/// An attempt that has ended is a success, or has the class of its failure and the budget that was charged: the class's
/// own, or none.
fn is_accounted_for(job: &Job, attempt: &AttemptView) {
    let which = format!("attempt {} of {}", attempt.attempt, job.id);
    let Some(failure) = &attempt.failure else {
        assert_eq!(attempt.charged_to, None, "{which} has not failed, and nothing is charged");
        let has_end = attempt.stopped == Some(StopCause::Paused) || job.state() == JobState::Succeeded;
        assert!(attempt.ended_at.is_none() || has_end, "{which} has a failure");
        return;
    };
    assert!(attempt.ended_at.is_some(), "{which} has failed and is over");
    let own = match failure.class {
        FailureClass::Transient | FailureClass::Oom | FailureClass::Timeout => Charge::Retries,
        FailureClass::Lost => Charge::Losses,
        FailureClass::Preempted => Charge::Preemptions,
        FailureClass::Permanent | FailureClass::Budget => Charge::Nothing,
    };
    let charged = attempt.charged_to;
    assert!(charged == Some(own) || charged == Some(Charge::Nothing), "{which} ({failure}): {charged:?}");
}
