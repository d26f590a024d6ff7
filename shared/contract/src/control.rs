//! Asking the scheduler about jobs and workers, and telling it what to do with them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ConsideredClass, Estimate, Failure, FailureClass, GpuClass, Incarnation, JobId, MemoryNeed, Message,
    Request, Seconds, StopCause, SubmitJob, SweepId, Tier, Timestamp, TotalLimits, WorkerId, Workload,
    events::RunResult,
    lease::{Done, Progress},
    names::{REQUESTS_EXCHANGE, SCHEDULER_KEY},
};

/// Declares a request to the scheduler and its reply.
macro_rules! scheduler_request {
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

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Accepted; waits in the scheduler for its turn.
    Queued,
    /// Offered to the trainers of a class; nobody has claimed it yet.
    Offered,
    /// A worker holds its lease.
    Running,
    /// Waits for its next attempt.
    BackingOff,
    /// Ended: the work is done.
    Succeeded,
    /// Ended without success; a dead letter keeps its history, and it can be redriven.
    Dead,
    /// Ended: somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Offered,
        Self::Running,
        Self::BackingOff,
        Self::Succeeded,
        Self::Dead,
        Self::Cancelled,
    ];

    /// Whether a job in this state is over.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }

    /// The state as it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Offered => "offered",
            Self::Running => "running",
            Self::BackingOff => "backing_off",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A job as others see it: what was asked for, where it stands, and its ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobView {
    /// The job.
    pub job_id: JobId,
    /// What was asked for.
    pub submission: SubmitJob,
    /// Where it stands.
    pub state: JobState,
    /// What its running attempt has been told to stop for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<StopCause>,
    /// The class of the present attempt.
    pub gpu: GpuClass,
    /// The tier of the present attempt.
    pub tier: Tier,
    /// When it was accepted.
    pub submitted_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When its next attempt is due, while it backs off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why it waits, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// When its running attempt reaches its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_until: Option<Timestamp>,
    /// When its running attempt will be done if it goes on as it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_finish: Option<Timestamp>,
    /// What its owner should know, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Every class it could run on, and what came of it when its machine was last chosen.
    #[serde(default)]
    pub considered: Vec<ConsideredClass>,
    /// The device memory it needs, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryNeed>,
    /// Every attempt so far, oldest first.
    pub attempts: Vec<AttemptView>,
    /// Time and money over all attempts.
    pub ledger: LedgerView,
    /// The failure that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it is cancelled, when nobody asked for that: `early_stopped` by its sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<StopCause>,
    /// The sweep that it is a trial of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepId>,
    /// What it left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
}

impl Message for JobView {
    const KIND: &'static str = "job.view";
}

/// One attempt in a [`JobView`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptView {
    /// Its number, from 1.
    pub attempt: u32,
    /// Who ran it.
    pub worker: WorkerId,
    /// On what class.
    pub gpu: GpuClass,
    /// Of what tier.
    pub tier: Tier,
    /// When the lease was granted.
    pub leased_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The step it went on from, once it computes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_from_step: Option<u64>,
    /// How far it got, as last reported.
    pub progress: Progress,
    /// The failure that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The budget that the failure was charged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged_to: Option<Charge>,
    /// The wait that followed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Seconds>,
    /// What it cost, in US dollars.
    pub usd: f64,
}

/// The budget a failure is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// `max_retries`.
    Retries,
    /// `max_losses`.
    Losses,
    /// Preemptions, which cost no retry.
    Preemptions,
}

/// Time and money of a job, over all attempts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LedgerView {
    /// Waiting for a worker.
    pub queued: Seconds,
    /// Waiting for the next attempt to be due.
    pub backing_off: Seconds,
    /// Under a lease.
    pub running: Seconds,
    /// Money, in US dollars.
    pub usd: f64,
    /// Failures charged to the retries.
    pub retries: u32,
    /// Failures charged to the losses.
    pub losses: u32,
    /// Preemptions.
    pub preemptions: u32,
    /// Steps that were done twice because an attempt died after its last checkpoint.
    pub steps_repeated: u64,
}

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

/// A job in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobSummary {
    /// The job.
    pub job_id: JobId,
    /// The kind of work.
    pub workload: Workload,
    /// Whose.
    pub owner: String,
    /// Where it stands.
    pub state: JobState,
    /// How many attempts so far.
    pub attempts: u32,
    /// The class of the present attempt.
    pub gpu: GpuClass,
    /// How far it is.
    pub progress: Progress,
    /// Money so far, in US dollars.
    pub usd: f64,
    /// When it was accepted.
    pub submitted_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The class of the failure that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
    /// The sweep that it is a trial of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepId>,
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

/// Cancels a job in whatever state it is. The answer is the job as it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelJob {
    /// The job.
    pub job_id: JobId,
}
scheduler_request!(CancelJob, "job.cancel" => JobView);

/// Redrives a job that is dead or cancelled: fresh budgets, the same checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RedriveJob {
    /// The job.
    pub job_id: JobId,
    /// New limits over everything, the past included; absent ones stay.
    #[serde(default)]
    pub total: TotalLimits,
}
scheduler_request!(RedriveJob, "job.redrive" => JobView);

/// Forgets a job that has ended, and everything that happened to it. Its name stays taken, so that a submission that comes
/// again starts nothing. Its checkpoints are removed before, with
/// [`RemoveHistory`](crate::checkpoints::RemoveHistory).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveJob {
    /// The job.
    pub job_id: JobId,
}
scheduler_request!(RemoveJob, "job.remove" => Done);

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
}
