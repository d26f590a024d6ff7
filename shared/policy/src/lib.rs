//! What to do with a job: pure functions of (policy, ledger, now). No broker, no clock, no disk.

mod types;

pub use types::{GpuPrice, LargeBatch, ProfilePolicy, RetryPolicy, WorkloadPolicy};
