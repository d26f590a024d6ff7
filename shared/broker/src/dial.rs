//! Making one connection: socket, login, topology.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lapin::{Connection, ConnectionProperties, uri::AMQPUri};
use tokio::time::timeout;

use crate::{
    BrokerOptions, ConnectError,
    declare::declare,
    line::Session,
    topology::{self, Topology},
};

/// How long a connection may take until it counts as failed: a host that swallows packets says nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a broker that is short of time may take to declare everything.
const DECLARE_LIMIT: Duration = Duration::from_secs(30);

/// Knows how to make a connection that is ready for use.
#[derive(Debug)]
pub(crate) struct Dialer {
    uri: AMQPUri,
    name: String,
    work_queues: Mutex<BTreeSet<String>>,
}

impl Dialer {
    pub(crate) fn new(options: &BrokerOptions) -> Result<Self, ConnectError> {
        let parsed = options.url.parse::<AMQPUri>();
        let mut uri = parsed.map_err(|_| ConnectError::Address(without_password(&options.url)))?;
        let heartbeat = options.heartbeat.as_secs_f64().ceil().clamp(1.0, f64::from(u16::MAX));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the type's range"
        )]
        let heartbeat = heartbeat as u16;
        uri.query.heartbeat = Some(heartbeat);
        Ok(Self { uri, name: options.name.clone(), work_queues: Mutex::default() })
    }

    /// Host, port and virtual host.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}{}", self.uri.authority.host, self.uri.authority.port, vhost(&self.uri.vhost))
    }

    /// Declares this work queue too, from the next connection on.
    pub(crate) fn remember_work_queue(&self, queue: &str) {
        self.work_queues().insert(queue.into());
    }

    /// Connects and declares the topology.
    pub(crate) async fn dial(&self) -> Result<Session, ConnectError> {
        let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
        let unreachable = |error| ConnectError::Unreachable { address: self.address(), error };
        let took_too_long = || std::io::Error::from(std::io::ErrorKind::TimedOut).into();
        let connected = timeout(CONNECT_LIMIT, Connection::connect_uri(self.uri.clone(), properties)).await;
        let connection = connected.unwrap_or_else(|_| Err(took_too_long())).map_err(unreachable)?;
        let topology = self.topology();
        let declared = timeout(DECLARE_LIMIT, declare(&connection, &topology)).await;
        declared.unwrap_or_else(|_| Err(unreachable(took_too_long())))?;
        Ok(Session::new(connection))
    }

    fn topology(&self) -> Topology {
        let mut all = topology::topology();
        for queue in self.work_queues().iter() {
            let more = topology::work_queue(queue);
            all.queues.extend(more.queues);
            all.bindings.extend(more.bindings);
        }
        all
    }

    fn work_queues(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.work_queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn vhost(name: &str) -> String {
    if name == "/" { String::new() } else { format!("/{name}") }
}

/// The address with whatever stands before its last `@` taken out.
fn without_password(url: &str) -> String {
    let Some((start, host)) = url.rsplit_once('@') else { return url.into() };
    let scheme = start.split_once("://").map_or("", |(scheme, _)| scheme);
    format!("{scheme}://…@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialer(url: &str) -> Result<Dialer, ConnectError> {
        let options =
            BrokerOptions { url: url.into(), heartbeat: Duration::from_millis(10), name: "test".into() };
        Dialer::new(&options)
    }

    #[test]
    fn a_bad_address_is_named_without_its_password() {
        let error = dialer("http://me:secret@host/").expect_err("not AMQP").to_string();
        assert!(error.contains("http://…@host/") && error.contains("write amqp://"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn addresses_are_shown_without_the_password() {
        let shown = dialer("amqp://me:secret@host:1234/mine").expect("an address").address();
        assert_eq!(shown, "host:1234/mine");
        assert_eq!(dialer("amqp://me:secret@host").expect("an address").address(), "host:5672");
    }
}
