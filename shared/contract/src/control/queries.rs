//! Asking about jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JobState, JobSummary, JobView};
use crate::{Estimate, FailureClass, JobId, Message, SubmitJob, SweepId, Timestamp, Workload};

/// Asks for one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GetJob {
    /// The job.
    pub job_id: JobId,
}
scheduler_request!(GetJob, "job.get" => JobView);

/// Asks for jobs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListJobs {
    /// Only these states; empty means all.
    #[serde(default)]
    pub states: Vec<JobState>,
    /// Only jobs that are dead by failures of these classes; empty means all jobs.
    #[serde(default)]
    pub failures: Vec<FailureClass>,
    /// Only this owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only this workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// Only the trials of this sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepId>,
    /// Only jobs submitted before this one, to page on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<JobId>,
    /// At most so many; 0 means 50, and 80 is the most.
    #[serde(default)]
    pub limit: u32,
}

impl ListJobs {
    /// How many jobs an answer holds when nothing is said.
    pub const DEFAULT_LIMIT: u32 = 50;
    /// How many jobs fit into one message, whatever their names.
    pub const MAX_LIMIT: u32 = 80;
}
scheduler_request!(ListJobs, "job.list" => JobList);

/// The answer to [`ListJobs`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobList {
    /// The jobs, newest first.
    pub jobs: Vec<JobSummary>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Message for JobList {
    const KIND: &'static str = "job.list_reply";
}

/// Asks for what happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GetHistory {
    /// The job.
    pub job_id: JobId,
    /// Only entries after this one; 0 for all.
    #[serde(default)]
    pub after: u64,
}
scheduler_request!(GetHistory, "job.history" => History);

/// The answer to [`GetHistory`]: a page of entries, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The entries.
    pub entries: Vec<HistoryEntry>,
    /// Whether there are newer ones.
    pub more: bool,
}

impl Message for History {
    const KIND: &'static str = "job.history_reply";
}

/// One event in a job's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// Its place, ascending.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The event as it was published, `kind` included.
    pub event: Value,
}

/// Asks what a submission would come to, without submitting it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EstimateJob {
    /// What would be submitted.
    pub submission: SubmitJob,
}
scheduler_request!(EstimateJob, "job.estimate" => EstimateReply);

/// The answer to [`EstimateJob`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EstimateReply {
    /// What it can come to.
    pub estimate: Estimate,
}

impl Message for EstimateReply {
    const KIND: &'static str = "job.estimate_reply";
}
