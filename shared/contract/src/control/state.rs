//! Where a job stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Accepted; waits in the scheduler for its turn.
    Queued,
    /// Offered to the trainers of a class; nobody has claimed it yet.
    Offered,
    /// A worker holds its lease.
    Running,
    /// Waits for its next attempt.
    BackingOff,
    /// Somebody paused it: it holds nothing, and goes on when somebody resumes it.
    Paused,
    /// Ended: the work is done.
    Succeeded,
    /// Ended without success; a dead letter keeps its history, and it can be redriven.
    Dead,
    /// Ended: somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Offered,
        Self::Running,
        Self::BackingOff,
        Self::Paused,
        Self::Succeeded,
        Self::Dead,
        Self::Cancelled,
    ];

    /// Whether a job in this state is over.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }

    /// The state as it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Offered => "offered",
            Self::Running => "running",
            Self::BackingOff => "backing_off",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
