//! What can be asked of sweeps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SweepSummary, SweepView};
use crate::{
    Message, Request, SweepId,
    names::{REQUESTS_EXCHANGE, SCHEDULER_KEY},
};

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
