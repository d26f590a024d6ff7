//! Between a trainer and the scheduler: who is there, who runs what, and for how long.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    GpuClass, Incarnation, JobId, Message, Profile, Request, Seconds, StopCause, Tier, WorkerId, Workload,
    names::{REQUESTS_EXCHANGE, SCHEDULER_KEY},
};

/// The scheduler offers an attempt to whichever trainer takes it from the queue. The trainer claims before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferAttempt {
    /// The job.
    pub job_id: JobId,
    /// The attempt's number, from 1.
    pub attempt: u32,
}

impl Message for OfferAttempt {
    const KIND: &'static str = "attempt.offer";
}

/// A trainer says that it is there and what it offers. A new incarnation ends whatever the old one still held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// Who.
    pub worker: WorkerId,
    /// Which life of its process.
    pub incarnation: Incarnation,
    /// The work it can do.
    pub workload: Workload,
    /// The class it offers.
    pub gpu: GpuClass,
    /// Whether its machine is preemptible.
    pub tier: Tier,
    /// How many attempts it runs side by side.
    pub slots: u32,
    /// Its device memory in MiB (host memory for `cpu`), where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// The machine's name, for people.
    pub host: String,
    /// The process, for people.
    pub pid: u32,
    /// Its release of Rekindle.
    pub release: String,
    /// Why it takes nothing at present, for people. While it says so, its slots do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
}

impl Message for Hello {
    const KIND: &'static str = "worker.hello";
}

impl Request for Hello {
    type Reply = Welcome;
    const ADDRESS: (&'static str, &'static str) = (REQUESTS_EXCHANGE, SCHEDULER_KEY);
}

/// The scheduler knows the worker now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Welcome {
    /// How often to send [`Heartbeat`].
    pub heartbeat: Seconds,
    /// How long a lease lasts without one.
    pub lease: Seconds,
    /// Whether the worker drains: it is to take no offers until a heartbeat's answer says otherwise.
    #[serde(default)]
    pub draining: bool,
}

impl Message for Welcome {
    const KIND: &'static str = "worker.welcome";
}

/// A trainer says good-bye: it takes nothing more, and what it ran has been handed back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Goodbye {
    /// Who.
    pub worker: WorkerId,
    /// Which life of its process.
    pub incarnation: Incarnation,
}

impl Message for Goodbye {
    const KIND: &'static str = "worker.goodbye";
}

impl Request for Goodbye {
    type Reply = Done;
    const ADDRESS: (&'static str, &'static str) = (REQUESTS_EXCHANGE, SCHEDULER_KEY);
}

/// The request has been carried out; there is nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Done {}

impl Message for Done {
    const KIND: &'static str = "done";
}

/// A trainer that took an [`OfferAttempt`] from the queue asks for the right to run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// The job.
    pub job_id: JobId,
    /// The attempt that was offered.
    pub attempt: u32,
    /// Whether the broker had delivered the offer before: its first taker may have died before acknowledging it.
    pub redelivered: bool,
    /// Who asks.
    pub worker: WorkerId,
    /// Which life of its process.
    pub incarnation: Incarnation,
}

impl Message for Claim {
    const KIND: &'static str = "attempt.claim";
}

impl Request for Claim {
    type Reply = ClaimAnswer;
    const ADDRESS: (&'static str, &'static str) = (REQUESTS_EXCHANGE, SCHEDULER_KEY);
}

/// The scheduler's answer to a [`Claim`]. Either way the trainer now acknowledges the offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ClaimAnswer {
    /// The trainer holds the lease.
    Granted(Grant),
    /// There is nothing to run; drop the offer.
    Refused {
        /// Why, for the log.
        why: String,
        /// Whether it is because the worker drains: it is to take no offers until a heartbeat's answer says otherwise.
        #[serde(default)]
        draining: bool,
    },
}

impl Message for ClaimAnswer {
    const KIND: &'static str = "attempt.claim_answer";
}

/// The right to run one attempt, and all there is to know for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// The job.
    pub job_id: JobId,
    /// The attempt granted, and its **fencing token**. Higher than the one offered when this claim supersedes another.
    pub attempt: u32,
    /// The kind of work.
    pub workload: Workload,
    /// The variant of its policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// The workload's own parameters.
    pub params: Map<String, Value>,
    /// The job's marks.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Checkpoints of attempts up to this one are not gone on from: the job was redriven to begin again.
    #[serde(default)]
    pub fresh_after: u32,
    /// How long this attempt may run.
    pub run_limit: Seconds,
    /// What reaching `run_limit` means: [`StopCause::Timeout`] or [`StopCause::Budget`].
    pub run_limit_cause: StopCause,
    /// How long the attempt may take from the request to stop until it must be gone.
    pub grace: Seconds,
    /// How often to write a checkpoint, by time.
    pub checkpoint_interval: Seconds,
    /// How long without a finished step until the attempt counts as hung.
    pub hang_limit: Seconds,
    /// The class's price per hour, in US dollars.
    pub usd_per_hour: f64,
    /// How many micro-batches to compute each step in, because an earlier attempt ran out of memory with fewer on this
    /// class or a larger one; 1 when it did on smaller ones only. Absent: as the checkpoint or the parameters say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batches: Option<u32>,
}

/// How far a run is. Numbers that are not finite are left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// Optimiser steps finished since the beginning of the job, earlier attempts included.
    pub step: u64,
    /// All steps of the job, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_total: Option<u64>,
    /// Epochs finished, where the workload has epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// The latest loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Steps a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_per_second: Option<f64>,
    /// The step of the last checkpoint that was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_step: Option<u64>,
    /// How many micro-batches each step is computed in, where memory ran out with as many as the parameters say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batches: Option<u32>,
    /// The most device memory that the trainer's process held so far, in MiB (on a CPU, main memory).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_mib: Option<u64>,
}

/// A trainer says, every few seconds, that it lives and how far its runs are. The answer renews their leases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Heartbeat {
    /// Who.
    pub worker: WorkerId,
    /// Which life of its process.
    pub incarnation: Incarnation,
    /// What it runs.
    pub runs: Vec<RunReport>,
}

impl Message for Heartbeat {
    const KIND: &'static str = "worker.heartbeat";
}

impl Request for Heartbeat {
    type Reply = HeartbeatAnswer;
    const ADDRESS: (&'static str, &'static str) = (REQUESTS_EXCHANGE, SCHEDULER_KEY);
}

/// One run in a [`Heartbeat`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// How far it is.
    pub progress: Progress,
}

/// The scheduler's answer to a [`Heartbeat`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatAnswer {
    /// Whether the scheduler knows this incarnation; if not, say [`Hello`] again.
    pub known: bool,
    /// What to do with each run, in the order of the heartbeat.
    pub runs: Vec<Verdict>,
    /// Runs whose limit is not the one that was granted: `timeout = "auto"`.
    #[serde(default)]
    pub limits: Vec<MovedLimit>,
    /// Whether the worker drains: it is to take no offers.
    #[serde(default)]
    pub draining: bool,
}

impl Message for HeartbeatAnswer {
    const KIND: &'static str = "worker.heartbeat_answer";
}

/// How long a run may go on, counted from its grant, in place of what was said then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MovedLimit {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: u32,
    /// How long the attempt may run.
    pub run_limit: Seconds,
    /// What reaching it means.
    pub run_limit_cause: StopCause,
}

/// What a trainer is to do with one of its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The lease is renewed.
    Continue,
    /// Stop, for this cause. Said until the run has ended.
    Stop {
        /// Why.
        cause: StopCause,
    },
}
