//! What the tests share.

use std::time::Duration;

use broker::{Broker, BrokerOptions, Consumer, Delivery, Outgoing};
use contract::{JobId, lease::OfferAttempt, names::WORK_EXCHANGE};
use local_broker::{QueueState, testing::TestVhost};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A queue of attempts.
pub(crate) const QUEUE: &str = "work.classifier.cpu.on-demand";

/// Generous, because it only passes when something is wrong.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A broker in a virtual host of its own, with [`QUEUE`].
pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) vhost: TestVhost,
}

impl Bench {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let vhost = TestVhost::create().await?;
        let broker = connect(vhost.amqp_url()).await?;
        broker.ensure_work_queue(QUEUE).await?;
        Ok(Self { broker, vhost })
    }

    /// What a queue holds, as the management interface last heard.
    pub(crate) async fn queue(&self, name: &str) -> Option<QueueState> {
        let queues = self.vhost.management().queues(self.vhost.name()).await.ok()?;
        queues.into_iter().find(|queue| queue.name == name)
    }
}

/// A channel that goes round the crate under test.
pub(crate) async fn foreign_channel(url: &str) -> anyhow::Result<lapin::Channel> {
    let connection = lapin::Connection::connect(url, lapin::ConnectionProperties::default()).await?;
    // The channel keeps the connection open.
    Ok(connection.create_channel().await?)
}

pub(crate) fn options(url: &str) -> BrokerOptions {
    BrokerOptions { url: url.into(), heartbeat: Duration::from_secs(10), name: "test".into() }
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<Broker> {
    Ok(timeout(LIMIT, Broker::connect(options(url), &CancellationToken::new())).await??)
}

/// An attempt for [`QUEUE`]; its number tells which it is.
pub(crate) fn attempt(number: u32) -> Outgoing {
    let job_id = JobId::new("job").expect("a name");
    Outgoing::new(WORK_EXCHANGE, QUEUE, &OfferAttempt { job_id, attempt: number })
}

pub(crate) fn attempts(numbers: impl IntoIterator<Item = u32>) -> Vec<Outgoing> {
    numbers.into_iter().map(attempt).collect()
}

/// The number of an [`attempt`].
pub(crate) fn number(delivery: &Delivery) -> u32 {
    delivery.decode::<OfferAttempt>().expect("an attempt").attempt
}

/// The next delivery, which must come.
pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    timeout(LIMIT, consumer.next()).await.expect("a delivery comes in time").expect("the broker is open")
}
