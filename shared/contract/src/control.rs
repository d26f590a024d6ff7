//! Asking the scheduler about jobs and workers, and telling it what to do with them.

/// Declares a request to the scheduler and its reply.
macro_rules! scheduler_request {
    ($type:ident, $kind:literal => $reply:ident) => {
        impl crate::Message for $type {
            const KIND: &'static str = $kind;
        }

        impl crate::Request for $type {
            type Reply = $reply;
            const ADDRESS: (&'static str, &'static str) =
                (crate::names::REQUESTS_EXCHANGE, crate::names::SCHEDULER_KEY);
        }
    };
}

mod cost;
mod edits;
mod owners;
mod queries;
mod requests;
mod state;
mod view;
mod waiting;
mod workers;

pub use cost::{Cost, CostGroup, CostLine, CostSum, GetCost};
pub use edits::JobEdits;
pub use owners::{ListOwners, OwnerList, OwnerView};
pub use queries::{EstimateJob, EstimateReply, GetHistory, GetJob, History, HistoryEntry, JobList, ListJobs};
pub use requests::{CancelJob, PauseJob, RedriveJob, RemoveJob, ResumeJob};
pub use state::JobState;
pub use view::{AttemptView, Charge, JobSummary, JobView, LedgerView};
pub use waiting::{Start, StartKind, WaitReason, Waiting};
pub use workers::{DrainMode, DrainWorker, ListWorkers, WorkerList, WorkerView};
