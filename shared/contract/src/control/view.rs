//! Jobs as others see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{JobEdits, JobState, Waiting};
use crate::{
    ConsideredClass, Failure, FailureClass, GpuClass, JobId, MemoryNeed, Message, Seconds, StopCause,
    SubmitJob, SweepId, Tier, Timestamp, WorkerId, Workload, events::RunResult, lease::Progress,
};

/// A job as others see it: what was asked for, where it stands, and its ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobView {
    /// The job.
    pub job_id: JobId,
    /// What was asked for, with what was edited since.
    pub submission: SubmitJob,
    /// What was edited when it was redriven.
    #[serde(default, skip_serializing_if = "JobEdits::is_empty")]
    pub edits: JobEdits,
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
    /// Why it waits, its place and when it will begin, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
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
    /// What it was told to stop for, where it did and that is no failure: `paused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StopCause>,
    /// The failure that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The budget that the failure was charged to; absent only where there is no failure.
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
    /// None: no attempt has to be paid for. The failure is permanent, money or a budget is used up, or the job was cancelled.
    Nothing,
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
    /// Paused, which counts against no limit.
    #[serde(default)]
    pub paused: Seconds,
    /// Money, in US dollars.
    pub usd: f64,
    /// How much less that is than the same time on demand.
    #[serde(default)]
    pub saved_usd: f64,
    /// Failures charged to the retries.
    pub retries: u32,
    /// Failures charged to the losses.
    pub losses: u32,
    /// Preemptions.
    pub preemptions: u32,
    /// Steps that were done twice because an attempt died after its last checkpoint.
    pub steps_repeated: u64,
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
    /// When its next attempt is due, while it backs off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why it waits, its place and when it will begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// The class of the failure that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
    /// The sweep that it is a trial of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepId>,
}
