//! Why a job runs where it runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GpuClass, Tier};

/// How a class is chosen among those that a job may run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// The first of the list.
    #[default]
    Order,
    /// The one whose hour costs least. `cpu` comes after every GPU, because its hour does far less.
    Cheapest,
}

impl Preference {
    pub(crate) fn is_order(&self) -> bool {
        *self == Self::Order
    }
}

/// The device memory that a job needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryNeed {
    /// How much, in MiB.
    pub mib: u64,
    /// Who says so.
    pub source: MemorySource,
    /// From what it follows, for people.
    pub basis: String,
}

/// Where a [`MemoryNeed`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemorySource {
    /// The job asks for it: `resources.memory_mib`.
    Asked,
    /// It is estimated from the job's parameters.
    Estimated,
}

/// A class that was looked at when a job's machine was chosen, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsideredClass {
    /// The class.
    pub gpu: GpuClass,
    /// The tier.
    pub tier: Tier,
    /// Its price per hour, in US dollars.
    pub usd_per_hour: f64,
    /// Its memory, in MiB.
    pub memory_mib: u64,
    /// What came of it.
    pub verdict: ClassVerdict,
    /// Why, for people.
    pub reason: String,
}

/// What came of a class that a job may run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassVerdict {
    /// The job is sent there.
    Taken,
    /// It has less memory than the job needs.
    TooSmall,
    /// No worker offers it at present.
    NoWorker,
    /// Its workers did not claim the attempt in time.
    Unclaimed,
    /// Another one comes before it in the list.
    Later,
    /// Another one costs less.
    Dearer,
}

impl ClassVerdict {
    /// The verdict in words: `no worker`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::TooSmall => "too small",
            Self::NoWorker => "no worker",
            Self::Unclaimed => "unclaimed",
            Self::Later => "later",
            Self::Dearer => "dearer",
        }
    }
}
