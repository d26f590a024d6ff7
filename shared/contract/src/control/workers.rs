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
}
