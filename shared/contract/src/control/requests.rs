//! Telling the scheduler what to do with a job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{JobEdits, JobView};
use crate::{JobId, TotalLimits, lease::Done};

/// Cancels a job in whatever state it is. The answer is the job as it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelJob {
    /// The job.
    pub job_id: JobId,
}
scheduler_request!(CancelJob, "job.cancel" => JobView);

/// Pauses a job: one that waits stands still at once, one that runs writes a checkpoint and stops. It holds no machine
/// then, and its time does not count, until [`ResumeJob`]. The answer is the job as it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseJob {
    /// The job.
    pub job_id: JobId,
}
scheduler_request!(PauseJob, "job.pause" => JobView);

/// Lets a paused job go on, in its old place among those that wait, from its last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResumeJob {
    /// The job.
    pub job_id: JobId,
}
scheduler_request!(ResumeJob, "job.resume" => JobView);

/// Redrives a job that is dead or cancelled: fresh budgets, the same checkpoints, and what is edited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RedriveJob {
    /// The job.
    pub job_id: JobId,
    /// New limits over everything, the past included; absent ones stay.
    #[serde(default)]
    pub total: TotalLimits,
    /// What it does otherwise from now on. Checked as a submission is.
    #[serde(default, skip_serializing_if = "JobEdits::is_empty")]
    pub edits: JobEdits,
    /// Whether it begins again at step 0 instead of going on from its last checkpoint.
    #[serde(default)]
    pub fresh: bool,
    /// Whether only to say what would come of it: the answer is the job as it would be, and nothing changes.
    #[serde(default)]
    pub dry_run: bool,
}
scheduler_request!(RedriveJob, "job.redrive" => JobView);

impl RedriveJob {
    /// Redrives `job_id` as it is.
    pub fn plain(job_id: JobId) -> Self {
        let (total, edits) = (TotalLimits::default(), JobEdits::default());
        Self { job_id, total, edits, fresh: false, dry_run: false }
    }
}

/// Forgets a job that has ended, and everything that happened to it. Its name stays taken, so that a submission that comes
/// again starts nothing. Its checkpoints are removed before, with
/// `checkpoint.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveJob {
    /// The job.
    pub job_id: JobId,
}
scheduler_request!(RemoveJob, "job.remove" => Done);
