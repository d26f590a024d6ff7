//! What every trainer shares: claim, heartbeat, deadline, preemption, checkpoint, outcome.
//!
//! A trainer is a [`Trainer`]: a plain blocking function that reads from top to bottom and looks outward through one
//! door, [`Control`]. [`run`] does the rest: each of a worker's slots takes an offer, claims it, and runs it on a
//! thread of its own, while an overseer watches its time and one heartbeat tells the scheduler of all runs together.
//! Whatever happens to broker and scheduler meanwhile, training goes on; the fencing token judges in the end.

mod attempt;
mod backoff;
mod checkpointer;
mod claim;
mod control;
mod control_group;
mod device;
mod door;
mod exit;
mod gate;
mod gpu_memory;
mod heartbeat;
mod host_memory;
mod identity;
mod last_life;
mod meters;
mod metrics_log;
mod notice;
mod outcome;
mod overseer;
mod run_state;
mod runs;
mod service;
mod slot;
mod stop_request;
mod teller;
mod thread;
mod throughput;
mod warm_up;
mod worker;

pub use control::{Control, Resume, Run, RunError, Snapshot, Trainer, Write};
pub use exit::Exit;
pub use gate::Probe;
pub use gpu_memory::{GpuMemory, Holder};
pub use outcome::is_out_of_memory;
pub use service::{run, run_on};
