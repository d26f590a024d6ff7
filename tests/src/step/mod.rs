//! A workload that is exact to the bit and takes no time of its own: every step hashes the weights before it, so a step
//! that was left out, done twice or done on other data shows in the last weights. Where it holds still and how it
//! fails is part of the job.

mod trainer;
mod weights;

use contract::{Failure, FailureClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use trainer::{NopTrainer, StepTrainer};
pub use weights::Weights;

use crate::hold::Hold;

/// The workload's name.
pub const WORKLOAD: &str = "step";
/// The name of the workload that succeeds at once.
pub const NOP: &str = "nop";
/// The name of the artifact that a run leaves behind.
pub const ARTIFACT: &str = "weights";

/// The name of the figure that a step job reports.
pub const SCORE: &str = "score";

/// What a step job does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepParams {
    /// How many steps.
    pub steps: u64,
    /// What the weights begin with.
    #[serde(default)]
    pub seed: u64,
    /// How long a step takes.
    #[serde(default)]
    pub step_ms: u64,
    /// Checkpoint after every so many steps, besides the scheduler's interval, and go on at once.
    #[serde(default)]
    pub checkpoint_every: u64,
    /// Checkpoint after every so many steps and wait until it is committed, so that a test knows what there is.
    #[serde(default)]
    pub commit_every: u64,
    /// Report a figure after every so many steps.
    #[serde(default)]
    pub report_every: u64,
    /// The figure, under the name [`SCORE`].
    #[serde(default)]
    pub score: f64,
    /// Where it fails.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Where it holds still.
    #[serde(default)]
    pub holds: Vec<Hold>,
}

/// A failure on purpose, before a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Before which step.
    pub step: u64,
    /// Attempts after this one go on without it.
    pub last_attempt: u32,
    /// How it fails.
    pub how: How,
}

/// How a run fails on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It says so.
    Fail(FailureClass),
    /// It panics.
    Panic,
    /// It takes its process along.
    Abort,
    /// Its loss is no number any more.
    Diverge,
    /// It takes so many MiB of memory, never gives them back, and goes on if it can.
    Hoard(usize),
}

impl StepParams {
    /// A job of so many steps that nothing disturbs.
    pub fn steps(steps: u64) -> Self {
        Self { steps, ..Self::default() }
    }

    /// The same, with steps that take so long.
    pub fn of_ms(self, step_ms: u64) -> Self {
        Self { step_ms, ..self }
    }

    /// The same, with a checkpoint after every so many steps.
    pub fn checkpoint_every(self, checkpoint_every: u64) -> Self {
        Self { checkpoint_every, ..self }
    }

    /// The same, with a checkpoint after every so many steps that is waited for.
    pub fn commit_every(self, commit_every: u64) -> Self {
        Self { commit_every, ..self }
    }

    /// The same, holding still once more.
    pub fn hold(mut self, hold: &Hold) -> Self {
        self.holds.push(hold.clone());
        self
    }

    /// The same, failing before `step` in every attempt up to `last_attempt`.
    pub fn fail(mut self, step: u64, last_attempt: u32, how: How) -> Self {
        self.faults.push(Fault { step, last_attempt, how });
        self
    }

    /// The parameters as they stand in a submission.
    pub fn to_map(&self) -> Map<String, Value> {
        let value = serde_json::to_value(self).expect("step parameters are plain data");
        value.as_object().cloned().expect("a struct is an object")
    }

    /// The weights that an undisturbed run ends with.
    pub fn undisturbed(&self) -> Weights {
        (0..self.steps).fold(Weights::initial(self.seed), |weights, step| weights.after(step))
    }

    fn parse(params: &Map<String, Value>) -> Result<Self, Failure> {
        serde_json::from_value(Value::Object(params.clone()))
            .map_err(|error| Failure::permanent(format!("params: {error}")))
    }
}
