//! RabbitMQ: topology, publish with confirm, consume, delayed publish, request and reply, and the reconnect loop
//! under all of them. Only this crate knows lapin.
//!
//! | file | what it does |
//! |---|---|
//! | `topology`, `declare` | exchanges, queues and bindings as data, and how they are declared |
//! | `line`, `dial`, `backoff` | one connection that comes back |
//! | `outgoing`, `parcel`, `lane` | publishing: what is sent, its AMQP form, and the window of confirms |
//! | `delay` | how a delay becomes a routing key |
//! | `consume`, `delivery`, `subscription` | subscriptions that survive reconnects, and settling what they bring |
//! | `request`, `asker` | questions and answers |

mod asker;
mod backoff;
mod broker;
mod consume;
mod declare;
mod delay;
mod delivery;
mod dial;
mod error;
mod lane;
mod line;
mod outgoing;
mod parcel;
mod request;
mod subscription;
pub mod topology;

pub use broker::{Broker, BrokerOptions};
pub use consume::Consumer;
pub use delivery::{Delivery, Disposition, Settled, settle_all};
pub use error::ConnectError;
pub use outgoing::{Outgoing, PublishError};
pub use request::{ReplyTo, RequestError};
