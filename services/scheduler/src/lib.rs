//! The scheduler: takes jobs in, decides where and when their attempts run, judges claims and reports, and brings every
//! job to exactly one end.
//!
//! | module | what it does |
//! |---|---|
//! | `core` | decides: a state machine without clock, broker or disk |
//! | `store` | remembers: jobs, histories and the outbox in one SQLite file |
//! | `service` | connects the two with RabbitMQ |

mod core;
mod service;
mod store;

pub use service::run;
