//! Why a job waits, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Why a job waits, its place, and when it will begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The reason that has to go first.
    pub reason: WaitReason,
    /// The same for people, with the names and numbers.
    pub detail: String,
    /// Its place, from 1, among the jobs of its owner and priority that may run on the same machines, oldest first; 1000
    /// stands for that and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// How many waiting jobs will have their turn before it as things are, those of other owners included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u32>,
    /// When it will begin, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Start>,
}

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// No live worker offers a class that it may run on.
    NoWorker,
    /// Its workload has as many jobs offered or running as it may.
    WorkloadLimit,
    /// Its owner has as many jobs offered or running as it may.
    OwnerLimit,
    /// The workers that it may run on are busy, and enough is offered to them.
    Slots,
    /// It is offered, and no worker has claimed it yet.
    Claim,
    /// Its owner, or its sweep, has not the money for an attempt now.
    Money,
    /// It was paused, and nobody has resumed it.
    Paused,
    /// Its last attempt failed, and the next one is not due yet.
    Backoff,
}

/// When a job will begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// The moment.
    pub at: Timestamp,
    /// How it is meant.
    pub kind: StartKind,
}

/// How the moment of a start is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartKind {
    /// Then, if what runs goes on as it does and what comes before takes as long as what runs.
    About,
    /// Then or later.
    NotBefore,
}
