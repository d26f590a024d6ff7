//! What every trainer shares: claim, heartbeat, deadline, preemption, checkpoint, outcome.
//!
//! A trainer is a [`Trainer`]: a plain blocking function that reads from top to bottom and looks outward through one
//! door, [`Control`]. [`run`] does the rest.

mod control;

pub use control::{Control, Resume, Run, RunError, Snapshot, Trainer};
