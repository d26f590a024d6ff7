//! Why attempts end before their work is done.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of failure ended an attempt. It alone decides what happens next and which budget is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Would fail the same way again: bad input, a bad parameter.
    Permanent,
    /// May succeed when tried again: I/O, network, a device that a new process may cure.
    Transient,
    /// Out of memory, of the host or of the device.
    Oom,
    /// The attempt used up its time.
    Timeout,
    /// The machine is being taken away.
    Preempted,
    /// The worker stopped answering, or its process died.
    Lost,
    /// Going on would pass the job's cap of money or total time.
    Budget,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::Permanent,
        Self::Transient,
        Self::Oom,
        Self::Timeout,
        Self::Preempted,
        Self::Lost,
        Self::Budget,
    ];

    /// The class as it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Oom => "oom",
            Self::Timeout => "timeout",
            Self::Preempted => "preempted",
            Self::Lost => "lost",
            Self::Budget => "budget",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One failure: its class, and the explanation for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Decides what happens next.
    pub class: FailureClass,
    /// What went wrong and, where known, what would be right.
    pub message: String,
    /// The step of the checkpoint from which a run went on whose loss is no number any more; 0 for a fresh start. The
    /// second time from the same step, the job is not tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged_from_step: Option<u64>,
}

impl Failure {
    /// The longest explanation that is kept, in bytes: a job's view holds one for every attempt.
    pub const MAX_MESSAGE_BYTES: usize = 1024;

    /// A failure of a class with its explanation, cut to [`Failure::MAX_MESSAGE_BYTES`].
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if Self::MAX_MESSAGE_BYTES < message.len() {
            message.truncate(message.floor_char_boundary(Self::MAX_MESSAGE_BYTES - '…'.len_utf8()));
            message.push('…');
        }
        Self { class, message, diverged_from_step: None }
    }

    /// A failure that trying again cannot mend.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Permanent, message)
    }

    /// A failure that trying again may mend.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Transient, message)
    }

    /// A run that went on from `step` and whose loss is no number any more: a device may have erred once.
    pub fn diverged(step: u64, message: impl Into<String>) -> Self {
        Self { diverged_from_step: Some(step), ..Self::transient(message) }
    }

    /// The same failure in other words, cut likewise.
    #[must_use]
    pub fn reworded(&self, message: impl Into<String>) -> Self {
        Self { diverged_from_step: self.diverged_from_step, ..Self::new(self.class, message) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl std::error::Error for Failure {}

/// Why a running attempt is told to stop. It is told, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Somebody cancelled the job: stop, without a checkpoint.
    Cancelled,
    /// The machine is going away: checkpoint within the grace time and hand back.
    Preempted,
    /// The attempt's time is over: checkpoint, then stop.
    Timeout,
    /// The job's money or total time is over: checkpoint, then stop.
    Budget,
    /// Somebody paused the job: checkpoint, then stop.
    Paused,
    /// The job's sweep goes on without it, because others do better: checkpoint, then stop.
    EarlyStopped,
    /// A newer attempt was started: stop at once and write nothing.
    Superseded,
}

impl StopCause {
    /// Whether the run should save its state before it stops.
    pub fn wants_checkpoint(self) -> bool {
        match self {
            Self::Preempted | Self::Timeout | Self::Budget | Self::Paused | Self::EarlyStopped => true,
            Self::Cancelled | Self::Superseded => false,
        }
    }

    /// The cause as it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Preempted => "preempted",
            Self::Timeout => "timeout",
            Self::Budget => "budget",
            Self::Paused => "paused",
            Self::EarlyStopped => "early_stopped",
            Self::Superseded => "superseded",
        }
    }
}
