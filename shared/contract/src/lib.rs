//! Every message of Rekindle: what it means, who says it to whom, and its JSON form.
//!
//! This crate knows serde and JSON Schema and nothing else: no broker, no clock, no disk. A message is one JSON
//! object whose `kind` and `version` stand beside its own fields, so any AMQP client in any language can take part.
//!
//! How a message may change: a new field gets a serde default, and, when a reader could misread the message without
//! it, a new [`Message::VERSION`]. Unknown fields are tolerated, because messages come from other releases.

pub mod checkpoints;
mod choice;
pub mod classifier;
pub mod control;
pub mod dit;
mod envelope;
pub mod events;
mod failure;
mod ids;
pub mod lease;
mod month;
pub mod names;
pub mod params;
pub mod schema;
mod submit;
pub mod sweep;
mod timeout;
mod units;

pub use choice::{ClassVerdict, ConsideredClass, MemoryNeed, MemorySource, Preference};
pub use envelope::{
    DecodeError, MAX_MESSAGE_BYTES, Message, Refusal, Refused, Request, decode, encode, kind_of,
};
pub use failure::{Failure, FailureClass, StopCause};
pub use ids::{GpuClass, Incarnation, InvalidName, JobId, Profile, SweepId, Tier, WorkerId, Workload};
pub use month::Month;
pub use submit::{
    Estimate, ExpectedCase, Jitter, JobAccepted, MAX_SUBMISSION_BYTES, Resources, RetryOverride, SpotUse,
    SubmitError, SubmitJob, TotalLimits,
};
pub use sweep::{SubmitSweep, SweepView};
pub use timeout::Timeout;
pub use units::{Seconds, Timestamp};
