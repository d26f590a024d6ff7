//! Ports that nobody else uses.

use std::net::{Ipv4Addr, TcpListener};

use serde::{Deserialize, Serialize};

use crate::LocalBrokerError;

/// Below the range from which the system takes ports for outgoing connections: there, a client that tries to connect
/// to a broker that is down can be given the broker's own port, and then talks to itself.
const RANGE: std::ops::Range<u16> = 20_000..32_000;
const TRIES: usize = 200;

/// The ports of a node, all on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) amqp: u16,
    pub(crate) management: u16,
    /// Erlang's distribution, which RabbitMQ insists on.
    pub(crate) distribution: u16,
    /// Erlang's port mapper.
    pub(crate) epmd: u16,
}

impl Ports {
    /// Four free ports.
    pub(crate) fn free() -> Result<Self, LocalBrokerError> {
        // Each stays bound until all are found, so that none is found twice.
        let bound: Vec<TcpListener> =
            (0..TRIES).map(|_| rand::random_range(RANGE)).filter_map(bind).take(4).collect();
        let ports: Vec<u16> = bound
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .map(|address| address.port())
            .collect();
        let [amqp, management, distribution, epmd] = ports[..] else { return Err(LocalBrokerError::NoPort) };
        Ok(Self { amqp, management, distribution, epmd })
    }

    /// Whether all of them are free.
    pub(crate) fn are_free(&self) -> bool {
        let Self { amqp, management, distribution, epmd } = *self;
        [amqp, management, distribution, epmd].into_iter().all(|port| bind(port).is_some())
    }
}

fn bind(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_free_and_differ() {
        let ports = Ports::free().expect("some ports are free");
        assert!(ports.are_free());

        let _taken = bind(ports.management).expect("it was free");
        assert!(!ports.are_free());
    }
}
