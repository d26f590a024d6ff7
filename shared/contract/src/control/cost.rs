//! What was spent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GpuClass, Message, Month, Seconds, Tier, Workload};

/// Asks what was spent: by all jobs there are and those that were removed, the attempts that run included up to a
/// few seconds ago.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GetCost {
    /// What the sums are for.
    #[serde(default)]
    pub by: CostGroup,
    /// Only from this month on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Month>,
    /// Only up to this month, itself included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Month>,
    /// Only this owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only this workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
}
scheduler_request!(GetCost, "cost.get" => Cost);

/// What money is summed by. Every sum is told apart by class and tier as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostGroup {
    /// Whose jobs they are.
    #[default]
    Owner,
    /// The kind of work.
    Workload,
    /// The class and tier only.
    Class,
    /// The month, in UTC.
    Month,
    /// The sweep that the jobs are trials of.
    Sweep,
}

/// The answer to [`GetCost`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// The sums, in the order of their groups, within one the dearest first.
    pub lines: Vec<CostLine>,
    /// How many of the smallest sums are left out, because all of them would not fit into one message.
    pub omitted: u64,
    /// The sum of everything, what is left out included.
    pub total: CostSum,
}

impl Message for Cost {
    const KIND: &'static str = "cost.get_reply";
}

/// What one group spent on one kind of machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostLine {
    /// The owner, workload, month or sweep; absent where classes are asked for, and for jobs of no sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The class that was billed.
    pub gpu: GpuClass,
    /// The tier that was billed.
    pub tier: Tier,
    /// Time and money.
    pub sum: CostSum,
}

/// Time on machines, and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CostSum {
    /// How long attempts ran.
    pub running: Seconds,
    /// What that cost, in US dollars.
    pub usd: f64,
    /// How much less that is than the same time on demand.
    pub saved_usd: f64,
}
