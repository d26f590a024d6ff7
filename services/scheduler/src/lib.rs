//! The scheduler: takes jobs in, decides where and when their attempts run, judges claims and reports, and brings every
//! job to exactly one end.
//!
//! | module | what it does |
//! |---|---|
//! | `core` | decides: a state machine without clock, broker or disk |
//! | `store` | remembers: jobs, histories and the outbox in one SQLite file |
//! | `service` | connects the two with RabbitMQ |
//! | `measure` | lets the benchmarks see what deciding costs, where the feature `measure` asks for it |

mod core;
#[cfg(any(test, feature = "measure"))]
pub mod measure;
mod service;
mod store;

pub use service::run;
