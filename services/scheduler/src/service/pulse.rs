//! Whether the broker takes messages.
//!
//! RabbitMQ that runs short of memory or disk holds back whoever publishes and leaves the connection open. A scheduler
//! that hears nothing cannot tell this from workers that are gone, so it publishes now and then to see.

use std::time::Duration;

use broker::{Broker, Outgoing};
use contract::Seconds;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};
use tracing::{debug, info};

/// A key that no queue has: the default exchange confirms the message and drops it.
const NOWHERE: &str = "rekindle.pulse";
/// How many beats may be missing.
const BEATS: u32 = 2;

/// Publishes at an interval until it is dropped.
pub(super) struct Pulse {
    interval: Duration,
    confirmed_at: watch::Receiver<Instant>,
    _task: JoinSet<()>,
}

impl Pulse {
    /// Beats four times in a lease, so that a broker that takes nothing is noticed before a lease can run out.
    pub(super) fn start(broker: Broker, lease: Seconds) -> Self {
        let interval = lease.to_duration() / 4;
        let (sender, confirmed_at) = watch::channel(Instant::now());
        let mut task = JoinSet::new();
        task.spawn(beat(broker, interval, sender));
        Self { interval, confirmed_at, _task: task }
    }

    /// Whether the broker has taken a message lately.
    pub(super) fn is_felt(&self) -> bool {
        self.confirmed_at.borrow().elapsed() < self.interval * BEATS
    }
}

async fn beat(broker: Broker, interval: Duration, confirmed_at: watch::Sender<Instant>) {
    loop {
        let began = Instant::now();
        match broker.publish(nothing()).await {
            Ok(()) => {
                let waited = began.elapsed();
                if interval * BEATS < waited {
                    info!(seconds = waited.as_secs(), "the broker takes messages again");
                }
                confirmed_at.send_replace(Instant::now());
            }
            Err(error) => debug!(%error, "no pulse"),
        }
        sleep(interval).await;
    }
}

fn nothing() -> Outgoing {
    Outgoing {
        exchange: String::new(),
        routing_key: NOWHERE.into(),
        body: Vec::new(),
        message_id: None,
        correlation_id: None,
        durable: false,
        delay: Duration::ZERO,
        traceparent: None,
    }
}
