//! RabbitMQ: topology, publish with confirm, consume, delayed publish, request and reply, and the reconnect loop
//! under all of them. Only this crate knows lapin.

mod broker;
mod consume;
mod delay;
mod outgoing;
mod request;
pub mod topology;

pub use broker::{Broker, BrokerOptions, ConnectError};
pub use consume::{Consumer, Delivery, Disposition, Settled};
pub use outgoing::{Outgoing, PublishError};
pub use request::{ReplyTo, RequestError};
