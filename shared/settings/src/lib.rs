//! What an operator sets: `rekindle.toml`, overridden by `REKINDLE__…` variables, read and checked in full before
//! anything is opened; and the signal to stop.

mod address;
mod find;
mod load;
mod stop;
mod validate;

use std::{collections::BTreeMap, path::PathBuf};

use contract::{GpuClass, Seconds, Tier, WorkerId, Workload};
use policy::{FailureRule, GpuPrice, Owners, WorkloadPolicy};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::IntoDeserializer};

pub use load::{BUILT_IN, SettingsError, load};
pub use stop::stop_on_signal;

/// The variable in which who keeps a service running tells its next process of the signal that the last one died of, such
/// as `SIGSEGV`.
pub const LAST_DEATH: &str = "REKINDLE_LAST_DEATH";

/// Everything in `rekindle.toml`. Relative paths have been resolved against the file's folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where RabbitMQ is.
    pub broker: BrokerSettings,
    /// Where files are.
    pub data: DataSettings,
    /// Where checkpoints are and how many are kept.
    pub checkpoints: CheckpointSettings,
    /// How the scheduler runs.
    pub scheduler: SchedulerSettings,
    /// What a trainer offers.
    pub worker: WorkerSettings,
    /// Logs, traces and metrics.
    pub telemetry: telemetry::Options,
    /// GPU classes and what they cost.
    pub gpu: BTreeMap<GpuClass, GpuPrice>,
    /// The policy of each workload.
    pub workloads: BTreeMap<Workload, WorkloadPolicy>,
    /// What each owner may have at once.
    #[serde(default)]
    pub owners: Owners,
    /// What the texts of failures mean, before what is built in.
    #[serde(default)]
    pub failure_rules: Vec<FailureRule>,
    /// The file all this was read from; `None` for the copy built in.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl Settings {
    /// What holds for a trainer of this workload.
    ///
    /// # Errors
    /// When they do not say.
    pub fn workload(&self, name: &str) -> Result<&WorkloadPolicy, SettingsError> {
        let found = self.workloads.iter().find(|(workload, _)| workload.as_str() == name);
        found.map(|(_, policy)| policy).ok_or_else(|| SettingsError::NoWorkload(name.into()))
    }
}

/// `[broker]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// AMQP address, password included.
    #[serde(default)]
    pub url: Option<SecretString>,
    /// AMQP heartbeat.
    pub heartbeat: Seconds,
}

/// `[data]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// The folder of everything this machine keeps.
    pub dir: PathBuf,
    /// The folders below which jobs may read.
    pub roots: Vec<PathBuf>,
}

/// `[checkpoints]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSettings {
    /// A folder, or an object store's URL.
    pub url: String,
    /// How many periodic checkpoints a job keeps.
    pub keep_last: u32,
    /// The age at which uncommitted uploads are removed.
    pub sweep_after: Seconds,
}

/// `[scheduler]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchedulerSettings {
    /// The SQLite file.
    pub database: PathBuf,
    /// How often trainers report.
    pub heartbeat: Seconds,
    /// How long a lease lasts without a report.
    pub lease: Seconds,
    /// How long an attempt that must stop may take.
    pub grace: Seconds,
    /// How long an offer may lie unclaimed until the next class is tried.
    #[serde(default = "claim_timeout")]
    pub claim_timeout: Seconds,
    /// The least that an attempt must be able to run to be worth its start.
    #[serde(default = "least_run")]
    pub least_run: Seconds,
    /// How long a job has to wait for a turn to rise by one priority.
    #[serde(default = "priority_worth")]
    pub priority_worth: Seconds,
    /// How often runs checkpoint.
    pub checkpoint_interval: Seconds,
    /// How long without a finished step until an attempt counts as hung.
    pub hang_limit: Seconds,
}

fn priority_worth() -> Seconds {
    std::time::Duration::from_secs(1800).into()
}

fn claim_timeout() -> Seconds {
    std::time::Duration::from_secs(60).into()
}

fn least_run() -> Seconds {
    std::time::Duration::from_secs(30).into()
}

/// `[worker]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// The worker's name; this machine's and a number when absent.
    #[serde(default)]
    pub id: Option<WorkerId>,
    /// The class offered; read from the GPU when absent.
    #[serde(default)]
    pub gpu: Option<GpuClass>,
    /// Whether this machine is preemptible.
    #[serde(deserialize_with = "by_name")]
    pub tier: Tier,
    /// Whose notices that this machine is taken away are heeded.
    #[serde(default, deserialize_with = "by_name")]
    pub spot_notice: SpotNotice,
    /// Where they are asked for; the cloud's own address when absent.
    #[serde(default)]
    pub spot_notice_url: Option<String>,
}

/// The clouds that tell a machine before they take it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpotNotice {
    /// Nobody is asked.
    #[default]
    Off,
    /// The instance metadata service of EC2.
    Aws,
    /// The metadata server of Compute Engine.
    Gcp,
    /// Scheduled events of Azure.
    Azure,
}

/// Reads one of a few names. By way of a string, because only then does the error say which names there are.
fn by_name<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}
