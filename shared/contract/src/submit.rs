//! Asking for work.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    ConsideredClass, GpuClass, JobId, MemoryNeed, Message, Preference, Profile, Request, Seconds, Tier,
    Timeout, Workload,
    control::JobState,
    encode,
    names::{JOBS_EXCHANGE, SUBMIT_KEY},
};

/// The largest submission that is taken, in bytes. A job's view repeats it beside everything that happened to the
/// job, and has to fit into one message itself.
pub const MAX_SUBMISSION_BYTES: usize = 24 * 1024;

/// A publisher asks for a job. Answered with [`JobAccepted`] or [`crate::Refused`] when it names a reply address.
///
/// Publishing it twice under one `job_id` is the same job; under one id with another content it is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitJob {
    /// The publisher's own name for the job. Without it, the AMQP property `message_id` is the name; one of them is
    /// needed, because it makes a repeated publish the same job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The kind of work.
    pub workload: Workload,
    /// A named variant of the workload's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What the trainer needs to know; its form is the workload's own (for `classifier`: `ClassifierParams`).
    #[serde(default)]
    pub params: Map<String, Value>,
    /// What it may run on.
    #[serde(default)]
    pub resources: Resources,
    /// The longest one attempt may run; `"auto"` sets it from the predicted finish. The workload's policy decides when
    /// absent; never more than the workload's most, nor than 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
    /// Limits over queueing, backing off and all attempts together.
    #[serde(default)]
    pub total: TotalLimits,
    /// Departures from the workload's retry policy.
    #[serde(default)]
    pub retry: RetryOverride,
    /// 0 (last) to 9 (first).
    #[serde(default = "default_priority")]
    #[schemars(range(max = 9))]
    pub priority: u8,
    /// Whose job it is.
    #[serde(default = "default_owner")]
    #[schemars(length(min = 1, max = 64))]
    pub owner: String,
    /// Free-form marks, at most 32, to find jobs by.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 32))]
    pub labels: BTreeMap<String, String>,
}

fn default_priority() -> u8 {
    5
}

fn default_owner() -> String {
    "default".into()
}

impl Message for SubmitJob {
    const KIND: &'static str = "job.submit";
}

impl Request for SubmitJob {
    type Reply = JobAccepted;
    const ADDRESS: (&'static str, &'static str) = (JOBS_EXCHANGE, SUBMIT_KEY);
    const DURABLE: bool = true;
}

impl SubmitJob {
    /// A submission of `workload` with `params` and every default.
    pub fn new(workload: Workload, params: Map<String, Value>) -> Self {
        Self {
            job_id: None,
            workload,
            profile: None,
            params,
            resources: Resources::default(),
            timeout: None,
            total: TotalLimits::default(),
            retry: RetryOverride::default(),
            priority: default_priority(),
            owner: default_owner(),
            labels: BTreeMap::new(),
        }
    }

    /// The same with parameters filled in that it does not set itself.
    #[must_use]
    pub fn with_default_params(mut self, defaults: Map<String, Value>) -> Self {
        for (name, value) in defaults {
            self.params.entry(name).or_insert(value);
        }
        self
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// Names the field, what it holds and what it may hold.
    pub fn validate(&self) -> Result<(), SubmitError> {
        let wrong = |field, problem: String| Err(SubmitError { field, problem });
        if 9 < self.priority {
            return wrong("priority", format!("is {}; it goes from 0 to 9", self.priority));
        }
        let owner_length = self.owner.chars().count();
        if !(1..=64).contains(&owner_length) {
            return wrong("owner", format!("has {owner_length} characters; it takes 1 to 64"));
        }
        if 32 < self.labels.len() {
            return wrong("labels", format!("has {} entries; at most 32 are kept", self.labels.len()));
        }
        if self.timeout == Some(Timeout::After(Seconds::ZERO)) {
            return wrong("timeout", "is zero; leave it out for the workload's default".into());
        }
        if self.total.usd.is_some_and(|usd| !usd.is_finite() || usd < 0.0) {
            return wrong(
                "total.usd",
                "is not an amount of money; write a number of dollars, 0 or more".into(),
            );
        }
        if self.retry.backoff_coefficient.is_some_and(|c| !c.is_finite() || !(1.0..=100.0).contains(&c)) {
            return wrong("retry.backoff_coefficient", "is outside 1 to 100".into());
        }
        let bytes = encode(self).len();
        if MAX_SUBMISSION_BYTES < bytes {
            return wrong(
                "params",
                format!("and the rest come to {bytes} bytes; at most {MAX_SUBMISSION_BYTES} are taken"),
            );
        }
        Ok(())
    }
}

/// One field of a submission that holds what it must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct SubmitError {
    /// The field's path.
    pub field: &'static str,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

/// What a job may run on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// GPU classes in order of preference; empty leaves the choice to the workload's policy.
    #[serde(default)]
    pub gpu: Vec<GpuClass>,
    /// Whether preemptible machines will do.
    #[serde(default)]
    pub spot: SpotUse,
    /// How one of those classes is chosen.
    #[serde(default, skip_serializing_if = "Preference::is_order")]
    pub prefer: Preference,
    /// GPU memory needed, in MiB, where it is known. Without it, the workload's own estimate counts, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
}

/// Whether a job may run on preemptible machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpotUse {
    /// On-demand machines only.
    #[default]
    Never,
    /// Either, the cheaper one first.
    Allow,
    /// Preemptible machines only.
    Only,
}

/// Limits over everything a job does until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TotalLimits {
    /// Time from submission on: queueing, backing off and running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Seconds>,
    /// Money, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub usd: Option<f64>,
}

/// Departures from a workload's retry policy; what is absent stays as the policy says.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RetryOverride {
    /// How many times an attempt that failed is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// How many losses of a worker are forgiven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_losses: Option<u32>,
    /// The wait before the first retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_delay: Option<Seconds>,
    /// What the wait is multiplied by, each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub backoff_coefficient: Option<f64>,
    /// The longest wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<Seconds>,
    /// How much of each wait is left to chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
}

/// How much of a wait is left to chance, so that what failed together is not tried again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Nothing: each wait is as long as the formula says.
    #[default]
    None,
    /// All of it: from nothing up to what the formula says, evenly.
    Full,
    /// Half of it: from half of what the formula says up to all, evenly.
    Equal,
}

/// The scheduler has taken a job and will bring it to an end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobAccepted {
    /// The job's name from now on.
    pub job_id: JobId,
    /// Where it stands: freshly queued, or wherever an earlier submission has got to.
    pub state: JobState,
    /// Whether this id was known already.
    pub duplicate: bool,
    /// What it can come to.
    pub estimate: Estimate,
}

impl Message for JobAccepted {
    const KIND: &'static str = "job.accepted_reply";
}

/// What a job will come to, what it can come to at worst, and where it will run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The class chosen for the first attempt.
    pub gpu: GpuClass,
    /// The tier chosen for it.
    #[serde(default)]
    pub tier: Tier,
    /// Why that class, for people.
    pub gpu_reason: String,
    /// Its price per hour, in US dollars.
    pub usd_per_hour: f64,
    /// Every class the job could run on, and what came of it.
    #[serde(default)]
    pub considered: Vec<ConsideredClass>,
    /// The device memory it needs, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryNeed>,
    /// What the publisher should know now rather than find out later, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What it will come to if nothing unforeseen happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedCase>,
    /// The most attempts the policy can lead to, losses included, preemptions not.
    pub worst_attempts: u32,
    /// The longest it can take, once it starts.
    pub worst_seconds: f64,
    /// The most it can cost.
    pub worst_usd: f64,
}

/// What a job will come to if it goes like those before it; where there were none, one attempt that runs as long as it may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedCase {
    /// How many attempts.
    pub attempts: u32,
    /// How long they run together.
    pub seconds: f64,
    /// What that costs on the class and tier that are chosen, in US dollars.
    pub usd: f64,
    /// From how many jobs that have succeeded this follows. When from none, the figures are an upper bound for a job
    /// whose first attempt succeeds.
    pub runs: u32,
    /// From what it follows, for people.
    pub basis: String,
}
