//! Sweeps: many jobs that differ in some of their parameters, launched a few at a time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    JobId, MAX_SUBMISSION_BYTES, Message, Request, StopCause, SubmitError, SubmitJob, SweepId, Timestamp,
    Workload,
    control::JobState,
    encode,
    names::{JOBS_EXCHANGE, REQUESTS_EXCHANGE, SCHEDULER_KEY, SUBMIT_KEY},
};

/// The most trials that one sweep may have.
pub const MAX_TRIALS: u32 = 1_000;

/// A publisher asks for a sweep. Answered with [`SweepView`] or [`crate::Refused`] when it names a reply address.
///
/// Its trials are ordinary jobs, named by the sweep's id, `-` and the trial's number. Publishing it twice under one
/// `sweep_id` is the same sweep; under one id with another content it is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitSweep {
    /// The publisher's own name for the sweep.
    pub sweep_id: SweepId,
    /// What every trial is, without a `job_id`; a trial's own parameters replace those of the same name.
    pub job: SubmitJob,
    /// Which trials there are.
    pub search: Search,
    /// How many trials may be under way at once.
    #[serde(default = "default_concurrency")]
    #[schemars(range(min = 1))]
    pub concurrency: u32,
    /// What makes one trial better than another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<Objective>,
    /// Ends trials that fall behind; needs an `objective`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// No trial is launched any more once so many have died the same way.
    #[serde(default = "default_max_same_failures")]
    #[schemars(range(min = 1))]
    pub max_same_failures: u32,
    /// The most that all trials may cost together, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_usd: Option<f64>,
}

fn default_concurrency() -> u32 {
    2
}

fn default_max_same_failures() -> u32 {
    3
}

impl Message for SubmitSweep {
    const KIND: &'static str = "sweep.submit";
}

impl Request for SubmitSweep {
    type Reply = SweepView;
    const ADDRESS: (&'static str, &'static str) = (JOBS_EXCHANGE, SUBMIT_KEY);
    const DURABLE: bool = true;
}

impl SubmitSweep {
    /// Checks what the types cannot say, the search aside.
    ///
    /// # Errors
    /// Names the field, what it holds and what it may hold.
    pub fn validate(&self) -> Result<(), SubmitError> {
        let wrong = |field, problem: &str| Err(SubmitError { field, problem: problem.into() });
        if self.job.job_id.is_some() {
            return wrong("job.job_id", "is set; trials are named by the sweep's id and their number");
        }
        if self.concurrency == 0 {
            return wrong("concurrency", "is 0; at least one trial has to run");
        }
        if self.max_same_failures == 0 {
            return wrong("max_same_failures", "is 0; a sweep goes on until at least one trial has died");
        }
        if self.max_usd.is_some_and(|usd| !usd.is_finite() || usd < 0.0) {
            return wrong("max_usd", "is not an amount of money; write a number of dollars, 0 or more");
        }
        if self.objective.as_ref().is_some_and(|objective| objective.metric.is_empty()) {
            return wrong("objective.metric", "is empty; name a figure that the trainer reports");
        }
        if let Some(early_stop) = &self.early_stop {
            if self.objective.is_none() {
                return wrong("early_stop", "needs an objective to compare trials by");
            }
            if early_stop.first == 0 {
                return wrong(
                    "early_stop.first",
                    "is 0; the first comparison takes at least one step or epoch",
                );
            }
            if early_stop.factor < 2 {
                return wrong("early_stop.factor", "is below 2; one of `factor` trials goes on at each rung");
            }
        }
        let bytes = encode(self).len();
        if MAX_SUBMISSION_BYTES < bytes {
            let problem =
                format!("and the rest come to {bytes} bytes; at most {MAX_SUBMISSION_BYTES} are taken");
            return Err(SubmitError { field: "search", problem });
        }
        Ok(())
    }
}

/// Which trials a sweep has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Search {
    /// Every combination of the values listed; the last name's values change fastest.
    Grid {
        /// The values of each parameter.
        params: BTreeMap<String, Vec<Value>>,
    },
    /// So many draws, each a function of the seed and the trial's number.
    Random {
        /// How many trials.
        count: u32,
        /// What the draws follow from.
        #[serde(default)]
        seed: u64,
        /// What each parameter is drawn from.
        params: BTreeMap<String, Distribution>,
    },
    /// These and no others.
    List {
        /// The parameters of each trial.
        trials: Vec<Map<String, Value>>,
    },
}

/// What a parameter's values are drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Evenly between two numbers.
    Uniform(f64, f64),
    /// Evenly between two numbers above 0 on a logarithmic scale.
    LogUniform(f64, f64),
    /// A whole number between two, both included.
    Int(i64, i64),
    /// One of these.
    Choice(Vec<Value>),
}

/// What makes one trial better than another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// A figure that the trainer reports, such as `val_accuracy`.
    pub metric: String,
    /// Which way is better.
    pub direction: Direction,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    Maximize,
    /// Less is better.
    Minimize,
}

/// Successive halving without waiting (ASHA): rungs stand at `first`, `first × factor`, `first × factor²` and so on,
/// and a trial that reaches one goes on if it is among the best of each `factor` that have reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlyStop {
    /// What the rungs are measured in.
    pub resource: Resource,
    /// Where the first rung stands.
    #[schemars(range(min = 1))]
    pub first: u64,
    /// One of so many trials goes on at each rung.
    #[serde(default = "default_factor")]
    #[schemars(range(min = 2))]
    pub factor: u32,
}

fn default_factor() -> u32 {
    3
}

/// What a trial uses up as it learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Optimiser steps.
    Steps,
    /// Epochs, where the workload has them.
    Epochs,
}

/// Where a sweep stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SweepState {
    /// Trials are under way, or will be.
    Running,
    /// Nothing is launched any more, and trials are still under way.
    Stopping,
    /// Every trial has ended.
    Finished,
    /// Somebody cancelled it.
    Cancelled,
    /// It stopped by itself: trials died the same way, or its money was spent.
    Stopped,
}

impl SweepState {
    /// Whether nothing happens any more unless somebody resumes the sweep.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Stopped)
    }

    /// The state as it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
        }
    }
}

impl std::fmt::Display for SweepState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A sweep as others see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepView {
    /// The sweep in one line.
    pub summary: SweepSummary,
    /// What was asked for.
    pub submission: SubmitSweep,
    /// Trials in the order of their numbers, as many as fit into a message.
    pub trials: Vec<TrialView>,
    /// Whether there are trials after these.
    pub more: bool,
}

impl Message for SweepView {
    const KIND: &'static str = "sweep.view";
}

/// A sweep in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepSummary {
    /// The sweep.
    pub sweep_id: SweepId,
    /// The kind of work.
    pub workload: Workload,
    /// Whose.
    pub owner: String,
    /// Where it stands.
    pub state: SweepState,
    /// Why it stopped, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// All its trials.
    pub trials: u32,
    /// Those that were launched.
    pub launched: u32,
    /// Those that are under way.
    pub live: u32,
    /// Those that succeeded.
    pub succeeded: u32,
    /// Those that were stopped early.
    pub stopped_early: u32,
    /// Those that died.
    pub dead: u32,
    /// The trial with the best figure so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestTrial>,
    /// Money so far, in US dollars.
    pub usd: f64,
    /// When it was accepted.
    pub submitted_at: Timestamp,
}

/// The trial of a sweep that is ahead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BestTrial {
    /// Its number.
    pub number: u32,
    /// Its job.
    pub job_id: JobId,
    /// Its best figure.
    pub value: f64,
    /// Its own parameters.
    pub params: Map<String, Value>,
}

/// One trial in a [`SweepView`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialView {
    /// Its number, from 1.
    pub number: u32,
    /// Its job.
    pub job_id: JobId,
    /// Its own parameters.
    pub params: Map<String, Value>,
    /// Where its job stands; absent before it is launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    /// What it was stopped for, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<StopCause>,
    /// The best figure it has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<f64>,
    /// The last figure it has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<f64>,
    /// The step of its last report.
    pub step: u64,
    /// How many rungs it has reached.
    pub rungs: u32,
    /// Money so far, in US dollars.
    pub usd: f64,
}

/// Declares a request about sweeps and its reply.
macro_rules! sweep_request {
    ($type:ident, $kind:literal => $reply:ident) => {
        impl Message for $type {
            const KIND: &'static str = $kind;
        }

        impl Request for $type {
            type Reply = $reply;
            const ADDRESS: (&'static str, &'static str) = (REQUESTS_EXCHANGE, SCHEDULER_KEY);
        }
    };
}

/// Asks for a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GetSweep {
    /// The sweep.
    pub sweep_id: SweepId,
    /// Only trials after this one; 0 for all.
    #[serde(default)]
    pub after: u32,
}
sweep_request!(GetSweep, "sweep.get" => SweepView);

/// Asks for sweeps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListSweeps {
    /// Only this owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only sweeps submitted before this one, to page on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SweepId>,
}

impl ListSweeps {
    /// How many sweeps an answer holds at most.
    pub const MOST: usize = 20;
}
sweep_request!(ListSweeps, "sweep.list" => SweepList);

/// The answer to [`ListSweeps`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepList {
    /// The sweeps, newest first.
    pub sweeps: Vec<SweepSummary>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Message for SweepList {
    const KIND: &'static str = "sweep.list_reply";
}

/// Cancels a sweep: nothing is launched any more, and its trials are cancelled. The answer is the sweep as it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelSweep {
    /// The sweep.
    pub sweep_id: SweepId,
}
sweep_request!(CancelSweep, "sweep.cancel" => SweepView);

/// Resumes a sweep that was cancelled or has stopped: it launches trials again, and those that ended with it go on from
/// their last checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResumeSweep {
    /// The sweep.
    pub sweep_id: SweepId,
    /// A new limit for the money of all trials, the past included; absent, the old one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_usd: Option<f64>,
}
sweep_request!(ResumeSweep, "sweep.resume" => SweepView);
