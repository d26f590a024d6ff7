//! What is told to everyone on `rekindle.events`: trainers tell of attempts, the scheduler tells of jobs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Failure, FailureClass, GpuClass, Incarnation, JobId, Message, Seconds, StopCause, Tier, Timestamp,
    WorkerId, Workload,
    control::{JobEdits, JobState},
    lease::Progress,
};

/// A message on `rekindle.events`.
pub trait Event: Message {
    /// `attempt.<job_id>.<event>` or `job.<job_id>.<event>`.
    fn routing_key(&self) -> String;
}

/// Declares an event's kind and its routing key from one pair of words.
macro_rules! event {
    ($type:ty, $who:literal, $what:literal) => {
        impl Message for $type {
            const KIND: &'static str = concat!($who, ".", $what);
        }

        impl Event for $type {
            fn routing_key(&self) -> String {
                format!(concat!($who, ".{}.", $what), self.job_id)
            }
        }
    };
}

/// A trainer has opened the checkpoints of an attempt and starts to compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptStarted {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// Who runs it.
    pub worker: WorkerId,
    /// The step it goes on from; 0 for a fresh start.
    pub resumed_from_step: u64,
    /// Checkpoints that did not verify and were passed over, for people.
    #[serde(default)]
    pub damaged: Vec<String>,
    /// When.
    pub at: Timestamp,
}
event!(AttemptStarted, "attempt", "started");

/// How far an attempt is. Sent with every heartbeat; for watchers only, and not kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptProgress {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// How far.
    pub progress: Progress,
    /// When.
    pub at: Timestamp,
}
event!(AttemptProgress, "attempt", "progress");

/// Named figures at a step: an epoch's losses and accuracies, say. Kept in the job's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptMetrics {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// The step.
    pub step: u64,
    /// Epochs finished by then, where the workload has epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// The figures; only finite ones.
    pub metrics: BTreeMap<String, f64>,
    /// When.
    pub at: Timestamp,
}
event!(AttemptMetrics, "attempt", "metrics");

/// A line for people: a file that cannot be read, a learning rate that was changed. Kept in the job's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptNote {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// The line.
    pub note: String,
    /// When.
    pub at: Timestamp,
}
event!(AttemptNote, "attempt", "note");

/// A checkpoint has been committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptCheckpointed {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// The step it holds.
    pub step: u64,
    /// Its size.
    pub bytes: u64,
    /// How long training stood still for it.
    pub pause: Seconds,
    /// How long writing and committing it took, beside the training.
    pub took: Seconds,
    /// When.
    pub at: Timestamp,
}
event!(AttemptCheckpointed, "attempt", "checkpointed");

/// An attempt is over; the trainer is done with it. Sent until the broker has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptEnded {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// Who ran it.
    pub worker: WorkerId,
    /// Which life of its process.
    pub incarnation: Incarnation,
    /// How it ended.
    pub end: AttemptEnd,
    /// How far it got.
    pub progress: Progress,
    /// The step it went on from.
    pub resumed_from_step: u64,
    /// When.
    pub at: Timestamp,
}
event!(AttemptEnded, "attempt", "ended");

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum AttemptEnd {
    /// The work is done.
    Succeeded(RunResult),
    /// It is not.
    Failed(Failure),
    /// It stopped because the job was cancelled, or stopped early by its sweep.
    Cancelled,
    /// It stopped because the job was paused.
    Paused,
    /// It stopped because a newer attempt was started.
    Superseded,
}

/// What a successful run leaves behind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// Final figures, such as `val_accuracy`; only finite ones.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Models, pictures and tables, by name.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
}

/// A file that a run leaves in the object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// Its file name, such as `curves.png`.
    pub name: String,
    /// Its key in the object store.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

/// The scheduler has taken a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobQueued {
    /// The job.
    pub job_id: JobId,
    /// The kind of work.
    pub workload: Workload,
    /// Whose.
    pub owner: String,
    /// What was edited, when it was redriven.
    #[serde(default, skip_serializing_if = "JobEdits::is_empty")]
    pub edits: JobEdits,
    /// Whether it begins again at step 0 although it has checkpoints.
    #[serde(default)]
    pub fresh: bool,
    /// When.
    pub at: Timestamp,
}
event!(JobQueued, "job", "queued");

/// An attempt was granted to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobLeased {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// To whom.
    pub worker: WorkerId,
    /// On what class.
    pub gpu: GpuClass,
    /// Of what tier.
    pub tier: Tier,
    /// When.
    pub at: Timestamp,
}
event!(JobLeased, "job", "leased");

/// An attempt failed and another one will follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobRetrying {
    /// The job.
    pub job_id: JobId,
    /// The attempt that failed.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
    /// How long until the next one.
    pub delay: Seconds,
    /// When the next one is due.
    pub next_at: Timestamp,
    /// When.
    pub at: Timestamp,
}
event!(JobRetrying, "job", "retrying");

/// Something that the owner of a job should know while there is time: an attempt that will not be done in time, say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobWarned {
    /// The job.
    pub job_id: JobId,
    /// The attempt it is about: the running one, or the next.
    pub attempt: u32,
    /// What there is to know, for people.
    pub warning: String,
    /// When the attempt will be done if it goes on as it does, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_finish: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}
event!(JobWarned, "job", "warned");

/// A job stands still because somebody paused it: it holds no machine any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPaused {
    /// The job.
    pub job_id: JobId,
    /// Its last attempt; 0 before the first.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
}
event!(JobPaused, "job", "paused");

/// A job that was paused goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobResumed {
    /// The job.
    pub job_id: JobId,
    /// Its last attempt; 0 before the first.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
}
event!(JobResumed, "job", "resumed");

/// A job has reached its one end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobEnded {
    /// The job.
    pub job_id: JobId,
    /// `succeeded`, `dead` or `cancelled`.
    pub state: JobState,
    /// Why it is dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it is cancelled, when nobody asked for that: `early_stopped` by its sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<StopCause>,
    /// What it left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// All attempts.
    pub attempts: u32,
    /// All money, in US dollars.
    pub usd: f64,
    /// When.
    pub at: Timestamp,
}
event!(JobEnded, "job", "ended");

/// A job that ended without success, with its whole history, as it lies in `dead-letters`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The job as it was when it died.
    pub job: crate::control::JobView,
    /// The failure that ended it.
    pub failure: Failure,
    /// Which budget ran out, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<FailureClass>,
}

impl Message for DeadLetter {
    const KIND: &'static str = "job.dead_letter";
}
