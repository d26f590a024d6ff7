//! The names of exchanges and queues: what another system must know to take part.

use crate::{GpuClass, Tier, Workload};

/// Where jobs are submitted, with the routing key [`SUBMIT_KEY`].
pub const JOBS_EXCHANGE: &str = "rekindle.jobs";
/// The routing key of a submission.
pub const SUBMIT_KEY: &str = "submit";
/// Where requests go; the routing key names the service.
pub const REQUESTS_EXCHANGE: &str = "rekindle.requests";
/// The routing key of requests to the scheduler.
pub const SCHEDULER_KEY: &str = "scheduler";
/// The routing key of requests to the checkpoint-store.
pub const CHECKPOINTS_KEY: &str = "checkpoints";
/// Where attempts are sent to trainers; see [`work_queue`].
pub const WORK_EXCHANGE: &str = "rekindle.work";
/// Where everything that happens is told (topic): `job.<job_id>.<event>` and `attempt.<job_id>.<event>`.
pub const EVENTS_EXCHANGE: &str = "rekindle.events";
/// Where jobs that ended without success, and messages nobody can read, are kept.
pub const DEAD_EXCHANGE: &str = "rekindle.dead";
/// Catches what no queue takes.
pub const UNROUTABLE_EXCHANGE: &str = "rekindle.unroutable";

/// Submissions, read by the leading scheduler.
pub const SCHEDULER_JOBS: &str = "scheduler.jobs";
/// What trainers report, read by the leading scheduler.
pub const SCHEDULER_EVENTS: &str = "scheduler.events";
/// Claims, heartbeats and queries, read by the leading scheduler.
pub const SCHEDULER_REQUESTS: &str = "scheduler.requests";
/// Requests to the checkpoint-store.
pub const CHECKPOINT_REQUESTS: &str = "checkpoints.requests";
/// Dead letters.
pub const DEAD_LETTERS: &str = "dead-letters";
/// Messages that no queue took.
pub const UNROUTABLE: &str = "unroutable";

/// The queue, and the routing key, of attempts of `workload` for one class and tier: `work.classifier.t4.spot`.
pub fn work_queue(workload: &Workload, gpu: &GpuClass, tier: Tier) -> String {
    format!("work.{workload}.{gpu}.{tier}")
}
