//! Where a private broker answers, as its folder tells.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::ports::Ports;

/// The user that the broker is created with.
pub(crate) const USER: &str = "rekindle";

/// Where a private broker answers. The file that holds it is readable by its owner only, because of the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// AMQP, password included.
    pub amqp_url: String,
    /// The management interface, password included.
    pub management_url: String,
    /// The group of its processes.
    pub(crate) process_group: i32,
    /// Its ports.
    pub(crate) ports: Ports,
}

impl Address {
    pub(crate) fn new(ports: Ports, password: &str, process_group: i32) -> Self {
        Self {
            amqp_url: format!("amqp://{USER}:{password}@127.0.0.1:{}/%2f", ports.amqp),
            management_url: format!("http://{USER}:{password}@127.0.0.1:{}", ports.management),
            process_group,
            ports,
        }
    }

    /// Whether something answers on the AMQP port.
    pub(crate) fn answers(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.amqp));
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    }
}
