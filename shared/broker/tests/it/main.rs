//! The broker crate against a real RabbitMQ.

mod consume;
mod delay;
mod faults;
mod pending;
mod publish;
mod requests;
mod support;
mod topology;
