//! The policy as an operator writes it in `rekindle.toml`.

use std::collections::BTreeMap;

use contract::{GpuClass, Jitter, Profile, Seconds, Tier};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A GPU class's price and size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuPrice {
    /// US dollars per hour, on demand.
    pub usd_per_hour: f64,
    /// US dollars per hour, preemptible.
    pub spot_usd_per_hour: f64,
    /// Device memory.
    pub memory_mib: u64,
}

impl GpuPrice {
    /// US dollars per hour in a tier.
    pub fn in_tier(&self, tier: Tier) -> f64 {
        match tier {
            Tier::OnDemand => self.usd_per_hour,
            Tier::Spot => self.spot_usd_per_hour,
        }
    }
}

/// `[workloads.NAME]`: the defaults of one kind of work.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadPolicy {
    /// Classes in order of preference.
    pub gpu: Vec<GpuClass>,
    /// Other classes for large batches.
    #[serde(default)]
    pub large_batch: Option<LargeBatch>,
    /// Named variants.
    #[serde(default)]
    pub profiles: BTreeMap<Profile, ProfilePolicy>,
    /// The longest one attempt may run.
    pub timeout: Seconds,
    /// The most that a job may ask for instead; 24 hours when absent.
    #[serde(default)]
    pub max_timeout: Option<Seconds>,
    /// What failures deserve.
    pub retry: RetryPolicy,
    /// How many of its jobs run at once.
    pub concurrency: u32,
    /// How many attempts one worker runs side by side.
    pub slots: u32,
    /// The host memory that a worker's process may use; no limit when absent.
    #[serde(default)]
    pub host_memory_mib: Option<u64>,
    /// The share of its GPU's memory that a worker's process may take, more than 0 and at most 1; all of it when absent.
    #[serde(default)]
    pub gpu_memory_share: Option<f64>,
    /// Whether trainers record a step and replay it from then on.
    #[serde(default)]
    pub cuda_graphs: bool,
}

impl WorkloadPolicy {
    /// How much of a class's memory a worker's process may take, in MiB. The memory of a CPU is not shared out.
    pub fn usable_mib(&self, gpu: &GpuClass, memory_mib: u64) -> u64 {
        match self.gpu_memory_share {
            Some(share) if !is_cpu(gpu) => (memory_mib as f64 * share) as u64,
            _ => memory_mib,
        }
    }
}

/// Whether this class is no GPU.
pub(crate) fn is_cpu(gpu: &GpuClass) -> bool {
    gpu.as_str() == "cpu"
}

/// The classes for batches above a size.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeBatch {
    /// `batch_size` above which this holds.
    pub above: u64,
    /// Classes in order of preference.
    pub gpu: Vec<GpuClass>,
}

/// A named variant: what it sets replaces the workload's own.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfilePolicy {
    /// Classes in order of preference.
    #[serde(default)]
    pub gpu: Option<Vec<GpuClass>>,
    /// The longest one attempt may run.
    #[serde(default)]
    pub timeout: Option<Seconds>,
    /// Parameters of its jobs, where they set none of that name themselves.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// How often and after what wait a failed attempt is followed by another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// How many failures are retried.
    pub max_retries: u32,
    /// The wait before the first retry.
    pub initial_delay: Seconds,
    /// What the wait is multiplied by, each time.
    pub backoff_coefficient: f64,
    /// The longest wait.
    pub max_delay: Seconds,
    /// How much of each wait is left to chance.
    #[serde(default)]
    pub jitter: Jitter,
    /// How many losses of a worker are forgiven.
    pub max_losses: u32,
}
