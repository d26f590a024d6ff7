//! A sweep, and what its trials have come to.

use std::collections::BTreeMap;

use contract::{
    FailureClass, StopCause, SubmitJob, SubmitSweep, SweepId, Timestamp,
    control::JobState,
    events::AttemptMetrics,
    sweep::{Objective, Resource, SweepState},
};
use policy::sweep::{Race, is_better, likeness, race, rungs_reached, trial_params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::job::{Job, Phase};

/// A sweep, as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    /// Its name.
    pub(crate) id: SweepId,
    /// What was asked for.
    pub(crate) submission: SubmitSweep,
    /// The parameters that its jobs' profile had when it was accepted.
    #[serde(default)]
    pub(crate) profile_params: Map<String, Value>,
    /// The trace of its submission, which its trials belong to.
    #[serde(default)]
    pub(crate) traceparent: Option<String>,
    /// When it was accepted.
    pub(crate) submitted_at: Timestamp,
    /// How many trials it has.
    pub(crate) count: u32,
    /// The most that all trials may cost together.
    pub(crate) max_usd: Option<f64>,
    /// Those that were launched, by number.
    pub(crate) trials: Vec<Trial>,
    /// How many have died in which way since it was last resumed.
    pub(crate) deaths: BTreeMap<String, u32>,
    /// Why nothing is launched any more.
    pub(crate) halt: Option<Halt>,
}

/// Why a sweep launches nothing any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "halt", rename_all = "snake_case")]
pub(crate) enum Halt {
    /// Somebody cancelled it.
    Cancelled,
    /// It stopped by itself.
    Stopped {
        /// Why, for people.
        why: String,
    },
}

/// What a trial has come to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// How its job ended.
    pub(crate) end: Option<JobState>,
    /// What it was stopped for, where it was.
    pub(crate) cause: Option<StopCause>,
    /// Whether it was stopped together with the sweep, and goes on when the sweep does.
    pub(crate) halted: bool,
    /// The best figure it has reported.
    pub(crate) best: Option<f64>,
    /// The last figure.
    pub(crate) last: Option<f64>,
    /// The step of the last figure.
    pub(crate) step: u64,
    /// What it reported at each rung that it has reached.
    pub(crate) rungs: Vec<f64>,
    /// What its attempts have cost that are over.
    pub(crate) usd: f64,
}

impl Sweep {
    /// What it may spend, if there is a limit, and what the attempts have cost that are over.
    pub(crate) fn money(&self) -> Option<(f64, f64)> {
        Some((self.max_usd?, self.trials.iter().map(|trial| trial.usd).sum()))
    }

    pub(crate) fn launched(&self) -> u32 {
        self.trials.len() as u32
    }

    pub(crate) fn live(&self) -> u32 {
        self.trials.iter().filter(|trial| trial.end.is_none()).count() as u32
    }

    pub(crate) fn trial(&self, number: u32) -> Option<&Trial> {
        self.trials.get(number.checked_sub(1)? as usize)
    }

    pub(super) fn trial_mut(&mut self, number: u32) -> Option<&mut Trial> {
        self.trials.get_mut(number.checked_sub(1)? as usize)
    }

    /// The numbers of the trials that are under way.
    pub(super) fn live_numbers(&self) -> Vec<u32> {
        let numbered = (1..).zip(&self.trials);
        numbered.filter(|(_, trial)| trial.end.is_none()).map(|(number, _)| number).collect()
    }

    pub(crate) fn state(&self) -> SweepState {
        match (&self.halt, self.live()) {
            (None, 0) if self.launched() == self.count => SweepState::Finished,
            (None, _) => SweepState::Running,
            (Some(Halt::Cancelled), 0) => SweepState::Cancelled,
            (Some(Halt::Stopped { .. }), 0) => SweepState::Stopped,
            (Some(_), _) => SweepState::Stopping,
        }
    }

    /// What a trial has of its own.
    pub(super) fn params(&self, number: u32) -> Map<String, Value> {
        trial_params(&self.submission.search, number)
    }

    /// What is submitted for a trial.
    pub(super) fn job(&self, number: u32) -> SubmitJob {
        let mut job = self.submission.job.clone();
        job.job_id = Some(self.id.trial(number));
        job.params.extend(self.params(number));
        job.with_default_params(self.profile_params.clone())
    }

    /// Takes note that a trial's job has ended, or goes on after all.
    pub(super) fn note(&mut self, number: u32, job: &Job) {
        let metric = self.submission.objective.as_ref().map(|objective| objective.metric.clone());
        let Some(trial) = self.trial_mut(number) else { return };
        let (end, cause, final_figure) = match &job.phase {
            Phase::Succeeded { result, .. } => {
                let figure = metric.and_then(|metric| result.metrics.get(&metric).copied());
                (Some(JobState::Succeeded), None, figure)
            }
            Phase::Dead { .. } => (Some(JobState::Dead), None, None),
            Phase::Cancelled { cause, .. } => (Some(JobState::Cancelled), *cause, None),
            Phase::Queued
            | Phase::Offered { .. }
            | Phase::Running(_)
            | Phase::BackingOff { .. }
            | Phase::Paused { .. } => (None, None, None),
        };
        (trial.end, trial.cause) = (end, cause);
        trial.usd = job.ledger.usd;
        let step = job.attempts.last().map_or(trial.step, |attempt| attempt.progress.step);
        if let Some(figure) = final_figure {
            self.enter_figure(number, step, figure);
        }
        if let Phase::Dead { failure, .. } = &job.phase
            && failure.class != FailureClass::Budget
        {
            let way = likeness(failure, &job.id);
            let deaths = self.deaths.entry(way.clone()).or_default();
            *deaths += 1;
            if self.submission.max_same_failures <= *deaths && self.halt.is_none() {
                let why = format!("{deaths} trials died the same way: {way}");
                self.halt = Some(Halt::Stopped { why });
            }
        }
    }

    fn enter_figure(&mut self, number: u32, step: u64, figure: f64) {
        let Some(Objective { direction, .. }) = self.submission.objective else { return };
        let Some(trial) = self.trial_mut(number) else { return };
        if trial.best.is_none_or(|best| is_better(direction, figure, best)) {
            trial.best = Some(figure);
        }
        if trial.step <= step {
            (trial.last, trial.step) = (Some(figure), step);
        }
    }

    /// Whether a report tells the figure that this sweep is about.
    pub(super) fn cares_for(&self, report: &AttemptMetrics) -> bool {
        let metric = self.submission.objective.as_ref().map(|objective| &objective.metric);
        metric.is_some_and(|metric| report.metrics.contains_key(metric))
    }

    /// Enters what a trial reports, and decides whether it goes on. A rung is reached once, however often it is told.
    pub(super) fn enter_report(&mut self, number: u32, report: &AttemptMetrics) -> Race {
        let Some(objective) = &self.submission.objective else { return Race::GoOn };
        let direction = objective.direction;
        let Some(figure) = report.metrics.get(&objective.metric).copied() else { return Race::GoOn };
        self.enter_figure(number, report.step, figure);
        let Some(early_stop) = self.submission.early_stop else { return Race::GoOn };
        let used = match early_stop.resource {
            Resource::Steps => report.step,
            Resource::Epochs => report.epoch.unwrap_or(0).into(),
        };
        let reached = rungs_reached(&early_stop, used) as usize;
        let before: Vec<f64> = self
            .trials
            .iter()
            .filter_map(|trial| trial.rungs.get(reached.checked_sub(1)?))
            .copied()
            .collect();
        match self.trial_mut(number) {
            Some(trial) if trial.rungs.len() < reached => {
                trial.rungs.resize(reached, figure);
                race(&before, figure, early_stop.factor, direction)
            }
            _ => Race::GoOn,
        }
    }
}
