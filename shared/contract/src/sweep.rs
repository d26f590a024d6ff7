//! Sweeps: many jobs that differ in some of their parameters, launched a few at a time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod requests;
mod view;

pub use self::{
    requests::{CancelSweep, GetSweep, ListSweeps, ResumeSweep, SweepList},
    view::{BestTrial, SweepState, SweepSummary, SweepView, TrialView},
};
use crate::{
    MAX_SUBMISSION_BYTES, Message, Request, SubmitError, SubmitJob, SweepId, encode,
    names::{JOBS_EXCHANGE, SUBMIT_KEY},
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
