//! Between a trainer and the checkpoint-store. The bytes themselves never pass through the broker.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    JobId, Message, Request, Timestamp,
    names::{CHECKPOINTS_KEY, REQUESTS_EXCHANGE},
};

/// Declares a request to the checkpoint-store and its reply.
macro_rules! checkpoint_request {
    ($type:ident, $kind:literal => $reply:ident) => {
        impl Message for $type {
            const KIND: &'static str = $kind;
        }

        impl Request for $type {
            type Reply = $reply;
            const ADDRESS: (&'static str, &'static str) = (REQUESTS_EXCHANGE, CHECKPOINTS_KEY);
        }
    };
}

/// An attempt opens its job's history: from now on only its token may commit. Refused as fenced when a newer one has.
/// The first attempt may leave it out: its first commit opens the history too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenHistory {
    /// The job.
    pub job_id: JobId,
    /// The attempt's number.
    pub token: u32,
}
checkpoint_request!(OpenHistory, "checkpoint.open" => OpenedHistory);

/// The answer to [`OpenHistory`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenedHistory {
    /// The newest checkpoint whose bytes verify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Manifest>,
    /// Newer ones that do not, and why, for people.
    #[serde(default)]
    pub damaged: Vec<String>,
}

impl Message for OpenedHistory {
    const KIND: &'static str = "checkpoint.opened";
}

/// One committed checkpoint: what it holds and how to tell that it is whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// The job.
    pub job_id: JobId,
    /// The attempt that wrote it.
    pub token: u32,
    /// Steps finished.
    pub step: u64,
    /// What it is kept for.
    pub role: CheckpointRole,
    /// Where its bytes are in the object store.
    pub key: String,
    /// How many bytes.
    pub bytes: u64,
    /// Their BLAKE3 hash, in hexadecimal.
    pub blake3: String,
    /// Figures at that step, such as `val_accuracy`; only finite ones.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// When it was committed.
    pub committed_at: Timestamp,
}

/// What a checkpoint is kept for. Retention keeps the last few, the newest best and the final one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointRole {
    /// To go on from.
    #[default]
    Periodic,
    /// The best so far by the workload's own measure; also good to go on from.
    Best,
    /// The end of the work.
    Final,
}

impl CheckpointRole {
    /// The role as it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Periodic => "periodic",
            Self::Best => "best",
            Self::Final => "final",
        }
    }
}

/// An attempt has put a file into the object store and asks that it become part of the history.
///
/// Refused as fenced when a newer token has opened the history, as invalid when the bytes are not as described.
/// Committing the same file twice is one commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommitCheckpoint {
    /// The job.
    pub job_id: JobId,
    /// The attempt's number.
    pub token: u32,
    /// Steps finished.
    pub step: u64,
    /// What to keep it for.
    #[serde(default)]
    pub role: CheckpointRole,
    /// Where the bytes are.
    pub key: String,
    /// How many.
    pub bytes: u64,
    /// Their BLAKE3 hash, in hexadecimal.
    pub blake3: String,
    /// Figures at that step.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}
checkpoint_request!(CommitCheckpoint, "checkpoint.commit" => Committed);

/// The answer to [`CommitCheckpoint`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Committed {
    /// The checkpoint as it now stands in the history.
    pub manifest: Manifest,
}

impl Message for Committed {
    const KIND: &'static str = "checkpoint.committed";
}

/// Asks for a job's checkpoints, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListCheckpoints {
    /// The job.
    pub job_id: JobId,
    /// Whether to read every byte and say which are damaged.
    #[serde(default)]
    pub verify: bool,
}
checkpoint_request!(ListCheckpoints, "checkpoint.list" => CheckpointList);

/// The answer to [`ListCheckpoints`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointList {
    /// The checkpoints, newest first.
    pub checkpoints: Vec<ListedCheckpoint>,
}

impl Message for CheckpointList {
    const KIND: &'static str = "checkpoint.list_reply";
}

/// A checkpoint in a [`CheckpointList`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListedCheckpoint {
    /// The checkpoint.
    pub manifest: Manifest,
    /// What is wrong with its bytes, where that was looked at and something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// Removes everything that a job has in the store: checkpoints, artifacts and the history itself.
///
/// Refused as fenced when a newer attempt than `token` has opened the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveHistory {
    /// The job.
    pub job_id: JobId,
    /// The number of its last attempt.
    pub token: u32,
}
checkpoint_request!(RemoveHistory, "checkpoint.remove" => Removed);

/// The answer to [`RemoveHistory`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// How many objects were there.
    pub objects: u64,
    /// Their size together.
    pub bytes: u64,
}

impl Message for Removed {
    const KIND: &'static str = "checkpoint.removed";
}
