//! A RabbitMQ of one's own: a private node in a folder, with its own ports, name, password and Erlang port mapper, that
//! touches no system service. `rekindle up` starts one, and the tests run against one.
//!
//! [`testing`] is what tests share: one node for a whole test run, a virtual host for each test, a proxy that can cut
//! the line.

mod address;
mod configuration;
mod error;
mod folder;
mod installation;
mod management;
mod node;
mod ports;
mod process;
pub mod testing;

pub use address::Address;
pub use error::{LocalBrokerError, ManagementError};
pub use management::{Management, QueueState};
pub use node::LocalBroker;
