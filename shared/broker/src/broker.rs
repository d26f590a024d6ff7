//! One connection that comes back.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How to reach the broker.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// AMQP address, password included. It never appears in logs.
    pub url: String,
    /// AMQP heartbeat interval.
    pub heartbeat: Duration,
    /// What the broker's own tools show for this connection, such as `scheduler`.
    pub name: String,
}

/// A line to the broker that outlives the connections it is made of: when one breaks, it connects again, declares
/// the topology again and sends again what was not confirmed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker {}

/// The broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("{0:?} is not an AMQP address; write amqp://user:password@host:5672/vhost")]
    Address(String),
    /// Nothing answers, or it refuses.
    #[error("cannot connect to RabbitMQ at {address}")]
    Unreachable {
        /// Host and port, without the password.
        address: String,
        /// Why.
        #[source]
        error: lapin::Error,
    },
    /// A queue or an exchange exists with other arguments.
    #[error("{0}")]
    Mismatch(String),
}

impl Broker {
    /// Connects, and declares exchanges and queues. Tries until `stop`, but fails at once on what waiting cannot mend:
    /// a bad address, bad credentials, a topology that differs from what exists.
    pub async fn connect(options: BrokerOptions, stop: &CancellationToken) -> Result<Self, ConnectError> {
        let _ = (options, stop);
        unimplemented!()
    }

    /// Whether there is a connection now.
    pub fn online(&self) -> watch::Receiver<bool> {
        unimplemented!()
    }

    /// Declares the queue of attempts for a workload, class and tier, under the name of [`contract::names::work_queue`].
    /// It is declared again after a reconnect.
    pub async fn ensure_work_queue(&self, queue: &str) -> Result<(), ConnectError> {
        let _ = queue;
        unimplemented!()
    }

    /// Waits for outstanding confirms, then closes the connection.
    pub async fn close(&self) {
        unimplemented!()
    }
}
