//! Sweeps as others see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SubmitSweep;
use crate::{JobId, Message, StopCause, SweepId, Timestamp, Workload, control::JobState};

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
