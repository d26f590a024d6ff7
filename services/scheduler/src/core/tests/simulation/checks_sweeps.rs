//! The promises of sweeps, held against what the world gets to see.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    JobId, Refusal, StopCause, SubmitSweep, SweepId,
    control::JobState,
    events::JobEnded,
    sweep::{Direction, SweepState, SweepSummary},
};
use policy::sweep::is_better;

use super::{run::METRIC, saved::Saved};
use crate::core::{Answer, Core, Sweep};

#[derive(Default)]
pub(super) struct SweepChecks {
    /// What was asked for.
    asked: BTreeMap<SweepId, SubmitSweep>,
    answered: BTreeSet<SweepId>,
    accepted: BTreeSet<SweepId>,
    /// Trials that somebody redrove by name; they are beyond what a sweep launches.
    redriven: BTreeSet<JobId>,
    /// Every figure of a trial that the scheduler has heard and saved.
    figures: BTreeMap<JobId, Vec<f64>>,
}

impl SweepChecks {
    /// Somebody is going to ask for a sweep.
    pub(super) fn expect(&mut self, sweep: &SubmitSweep) {
        self.asked.insert(sweep.sweep_id.clone(), sweep.clone());
    }

    /// Whether a publisher knows what became of its submission.
    pub(super) fn is_answered(&self, sweep: &SweepId) -> bool {
        self.answered.contains(sweep)
    }

    /// Somebody hears of a sweep.
    pub(super) fn heard(&mut self, sweep: &SweepId, answer: &Answer) {
        match answer {
            Answer::Sweep(_) => {
                self.answered.insert(sweep.clone());
                self.accepted.insert(sweep.clone());
            }
            // The others are for those who cancel, resume and look.
            Answer::Refused(refused) if matches!(refused.reason, Refusal::Invalid | Refusal::Limit) => {
                self.answered.insert(sweep.clone());
            }
            _ => {}
        }
    }

    /// Somebody redrives a job by name.
    pub(super) fn redriven_by_hand(&mut self, job_id: &JobId) {
        self.redriven.insert(job_id.clone());
    }

    /// A figure of a trial was heard and saved.
    pub(super) fn reported(&mut self, job_id: &JobId, figure: f64) {
        self.figures.entry(job_id.clone()).or_default().push(figure);
    }

    /// A job has succeeded, with its last figure if it is a trial.
    pub(super) fn succeeded(&mut self, event: &JobEnded) {
        let figure = event.result.as_ref().and_then(|result| result.metrics.get(METRIC));
        if let Some(figure) = figure {
            self.reported(&event.job_id, *figure);
        }
    }

    /// After every batch that was saved.
    pub(super) fn after_commit(&self, core: &Core, saved: &Saved, excess: impl Fn(&JobId) -> f64) {
        for id in self.asked.keys() {
            let (kept, sweep) = (saved.sweeps.get(id), core.sweep(id));
            if let Some(sweep) = sweep {
                assert!(
                    kept.is_some_and(|kept| is_saved(kept, sweep)),
                    "{id} is saved as it is: {kept:#?}\nis not\n{sweep:#?}"
                );
            }
            let Some(sweep) = kept else { continue };
            self.keeps_to_its_concurrency(sweep, saved);
            self.keeps_to_its_money(sweep, saved, &excess);
        }
    }

    fn keeps_to_its_concurrency(&self, sweep: &Sweep, saved: &Saved) {
        let most = self.asked[&sweep.id].concurrency as usize;
        let trials = trials(sweep).filter(|job_id| !self.redriven.contains(job_id));
        let live = trials.filter_map(|job_id| saved.jobs.get(&job_id)).filter(|job| !job.state().is_end());
        let live: Vec<_> = live.map(|job| &job.id).collect();
        assert!(live.len() <= most, "{} has the trials under way {live:?}, and {most} may be", sweep.id);
    }

    fn keeps_to_its_money(&self, sweep: &Sweep, saved: &Saved, excess: impl Fn(&JobId) -> f64) {
        let Some(max_usd) = sweep.max_usd else { return };
        let spent: f64 = trials(sweep).map(|job_id| cost(&job_id, saved)).sum();
        let most = max_usd + trials(sweep).map(|job_id| excess(&job_id)).sum::<f64>() + 1e-9;
        assert!(
            spent <= most,
            "{} spends no more than its max_usd: {spent} USD of {max_usd}, {most} at most",
            sweep.id
        );
    }

    /// When nothing is left to happen.
    pub(super) fn at_the_end(&self, summaries: &[SweepSummary], saved: &Saved) {
        for id in &self.accepted {
            assert!(saved.sweeps.contains_key(id), "{id} was accepted and is not there any more");
        }
        for summary in summaries {
            let sweep = &saved.sweeps[&summary.sweep_id];
            ended(sweep, saved);
            self.nobody_was_stopped_without_a_better_one(sweep);
            self.knows_its_best(sweep, summary);
        }
    }

    /// The best trial is the one with the best figure of all that were heard; the first of equals.
    fn knows_its_best(&self, sweep: &Sweep, summary: &SweepSummary) {
        let direction = self.asked[&sweep.id].objective.as_ref().map(|objective| objective.direction);
        let best_of = |job_id: JobId| Some((best(direction?, self.figures.get(&job_id)?)?, job_id));
        let figures = trials(sweep).filter_map(best_of);
        let expected = direction.and_then(|direction| {
            figures.reduce(|best, next| if is_better(direction, next.0, best.0) { next } else { best })
        });
        let found = summary.best.as_ref().map(|best| (best.value, best.job_id.clone()));
        assert_eq!(found, expected, "the best of {} is the best of what its trials have reported", sweep.id);
    }

    /// A trial that was stopped early had fallen behind another one at some rung.
    fn nobody_was_stopped_without_a_better_one(&self, sweep: &Sweep) {
        let asked = &self.asked[&sweep.id];
        let stopped = sweep.trials.iter().filter(|trial| trial.cause == Some(StopCause::EarlyStopped));
        for trial in stopped {
            assert!(asked.early_stop.is_some(), "{} stops trials early, and nobody asked for it", sweep.id);
            let direction = asked.objective.as_ref().map(|objective| objective.direction);
            let is_behind = trial.rungs.iter().enumerate().any(|(rung, figure)| {
                let others = sweep.trials.iter().filter_map(|other| other.rungs.get(rung));
                direction.is_some_and(|direction| {
                    others.clone().any(|other| is_better(direction, *other, *figure))
                })
            });
            assert!(is_behind, "{} stopped a trial that nobody was ahead of: {trial:?}", sweep.id);
        }
    }
}

/// A sweep has ended, and so has each of its trials, in the way that the sweep knows of.
fn ended(sweep: &Sweep, saved: &Saved) {
    let (id, state) = (&sweep.id, sweep.state());
    assert!(state.is_end(), "{id} has ended: {sweep:#?}");
    let is_whole = sweep.launched() == sweep.count;
    assert!(is_whole || state != SweepState::Finished, "{id} has finished, with every trial launched");
    for (job_id, trial) in trials(sweep).zip(&sweep.trials) {
        let cost = cost(&job_id, saved);
        assert!((trial.usd - cost).abs() < 1e-9, "{id} knows what {job_id} has cost: {cost} USD: {trial:?}");
        let Some(job) = saved.jobs.get(&job_id) else {
            assert!(saved.removed.contains(&job_id), "{job_id} was launched and is not there any more");
            continue;
        };
        assert_eq!(trial.end, Some(job.state()), "{id} knows how {job_id} has ended");
        let is_good = job.state() == JobState::Succeeded;
        assert!(!is_good || trial.cause.is_none(), "{job_id} has succeeded, and was not stopped");
    }
    for number in sweep.launched() + 1..=sweep.count {
        assert!(!saved.knows(&id.trial(number)), "trial {number} of {id} is there, and was not launched");
    }
}

/// What a job has cost, though it be removed.
fn cost(job_id: &JobId, saved: &Saved) -> f64 {
    let bill = saved.bills.get(job_id).map(|(_, bill)| bill.lines());
    bill.into_iter().flatten().map(|line| line.usd).sum()
}

/// The names of the trials that were launched.
fn trials(sweep: &Sweep) -> impl Iterator<Item = JobId> {
    (1..=sweep.launched()).map(|number| sweep.id.trial(number))
}

fn best(direction: Direction, figures: &[f64]) -> Option<f64> {
    figures.iter().copied().reduce(|best, next| if is_better(direction, next, best) { next } else { best })
}

/// Whether a saved sweep is as good as the one in memory.
fn is_saved(kept: &Sweep, sweep: &Sweep) -> bool {
    kept.trials == sweep.trials && kept.halt == sweep.halt && kept.max_usd == sweep.max_usd
}
