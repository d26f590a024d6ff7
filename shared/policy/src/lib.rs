//! What to do with a job: pure functions of (policy, ledger, now). No broker, no clock, no disk.
//!
//! [`resolve`] turns a submission into [`Terms`], which hold until the job ends. [`choose()`] picks where the next
//! attempt runs, [`run_limit`] how long it may, and [`decide()`] what follows when it fails.

mod backoff;
mod choose;
mod classify;
mod cost;
mod decide;
mod estimate;
mod forecast;
mod memory;
mod owners;
mod random;
pub mod sweep;
mod terms;
mod types;

pub use backoff::{Chance, backoff, jittered};
pub use choose::{Choice, Circumstances, Placement, choose, considered, placements};
pub use classify::{FailureRule, KNOWN_FAILURES, KnownFailure, RULE_CLASSES, known_failure, ruled};
pub use cost::{Left, RunLimit, affordable, least_usd, run_limit, usd};
pub use decide::{Charged, Decision, decide};
pub use estimate::{PastRun, estimate};
pub use forecast::{auto_limit, remaining, shortfall};
pub use memory::memory_need;
pub use owners::{DEFAULT_OWNER, OwnerPolicy, Owners};
pub use terms::{Candidate, MAX_ATTEMPT, Terms, Unresolved, profile_params, resolve};
pub use types::{GpuPrice, LargeBatch, ProfilePolicy, RetryPolicy, WorkloadPolicy};

#[cfg(test)]
mod tests;
