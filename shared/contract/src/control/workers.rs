//! Asking about workers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GpuClass, Incarnation, JobId, Message, Tier, Timestamp, WorkerId, Workload};

/// Asks who is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListWorkers {}
scheduler_request!(ListWorkers, "worker.list" => WorkerList);

/// The answer to [`ListWorkers`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerList {
    /// The workers, by name.
    pub workers: Vec<WorkerView>,
}

impl Message for WorkerList {
    const KIND: &'static str = "worker.list_reply";
}

/// Drains a worker: it takes nothing new, whatever becomes of its process, until that is undone. The answer is the worker
/// as it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrainWorker {
    /// Who.
    pub worker: WorkerId,
    /// What becomes of what it runs.
    #[serde(default)]
    pub mode: DrainMode,
}
scheduler_request!(DrainWorker, "worker.drain" => WorkerView);

/// How a worker drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrainMode {
    /// What runs may finish.
    #[default]
    Finish,
    /// What runs checkpoints and is handed back, as if the machine were taken away.
    HandBack,
    /// It does not drain any more.
    Undo,
}

/// A worker as others see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerView {
    /// Who.
    pub worker: WorkerId,
    /// Which life of its process.
    pub incarnation: Incarnation,
    /// The work it can do.
    pub workload: Workload,
    /// The class it offers.
    pub gpu: GpuClass,
    /// Of what tier.
    pub tier: Tier,
    /// How many attempts it runs side by side.
    pub slots: u32,
    /// The jobs it runs.
    pub running: Vec<JobId>,
    /// Its machine.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Its release.
    pub release: String,
    /// When it was last heard.
    pub heard_at: Timestamp,
    /// Why it takes nothing at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Whether it drains: it takes nothing new.
    #[serde(default)]
    pub draining: bool,
    /// Whether its process has said good-bye. Only workers that drain are remembered beyond that.
    #[serde(default)]
    pub gone: bool,
}

impl Message for WorkerView {
    const KIND: &'static str = "worker.view";
}
