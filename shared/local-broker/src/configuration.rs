//! RabbitMQ's configuration files.

use crate::{address::USER, ports::Ports};

/// The node's name, which is known only to its own port mapper.
pub(crate) const NODE: &str = "rekindle@localhost";

/// What Rekindle cannot do without: the management interface, for tools and tests.
pub(crate) const ENABLED_PLUGINS: &str = "[rabbitmq_management].\n";

/// The at-least-once dead-letter worker waits three minutes by default before it sends again what it did not get
/// confirmed because the node was killed; the wait of a delayed attempt would grow by that. The tick is how often
/// quorum queues tell their length.
pub(crate) const ADVANCED: &str = "[{rabbit, [
    {dead_letter_worker_publisher_confirm_timeout, 5000},
    {dead_letter_worker_consumer_prefetch, 256},
    {quorum_tick_interval, 1000}
]}].
";

/// `rabbitmq.conf`: reachable from this machine only, and modest.
pub(crate) fn main(ports: Ports, password: &str) -> String {
    let Ports { amqp, management, .. } = ports;
    format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {USER}
default_pass = {password}
log.console = false
log.file.level = info
collect_statistics_interval = 1000
raft.wal_max_size_bytes = 67108864
disk_free_limit.absolute = 50MB
"
    )
}
