//! Consuming.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::DropGuard;

use crate::{
    Broker, ConnectError, Delivery, Disposition, settle_all,
    subscription::{Source, Subscription},
};

/// How many events may wait in this process for a listener.
const LISTEN_BUFFER: usize = 1_024;

/// A subscription to a queue that survives reconnects. Dropping it ends it.
#[derive(Debug)]
pub struct Consumer {
    deliveries: mpsc::Receiver<Delivery>,
    stop: DropGuard,
}

impl Consumer {
    /// The next delivery; `None` once the broker is closed. Nothing is lost when this is dropped while it waits.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.deliveries.recv().await?;
            if !delivery.is_stale() {
                return Some(delivery);
            }
        }
    }

    /// Waits for one delivery and takes what else is already here, `max` at most; empty once the broker is closed.
    /// Nothing is lost when this is dropped while it waits.
    pub async fn next_batch(&mut self, max: usize) -> Vec<Delivery> {
        let Some(first) = self.next().await else { return Vec::new() };
        let mut batch = vec![first];
        while batch.len() < max
            && let Ok(delivery) = self.deliveries.try_recv()
        {
            if !delivery.is_stale() {
                batch.push(delivery);
            }
        }
        batch
    }

    /// Stops taking deliveries. What was delivered and not returned by [`next`](Self::next) goes back to the queue;
    /// deliveries in the caller's hands can still be settled.
    pub async fn cancel(self) {
        let Self { mut deliveries, stop } = self;
        drop(stop);
        let mut left = Vec::new();
        while let Some(delivery) = deliveries.recv().await {
            left.push((delivery, Disposition::Requeue));
        }
        settle_all(left).await;
    }
}

impl Broker {
    /// Subscribes to a queue of the topology, or a work queue, with at most `prefetch` unsettled deliveries.
    ///
    /// # Errors
    /// When there is no such queue, or the broker was closed.
    pub async fn consume(&self, queue: &str, prefetch: u16) -> Result<Consumer, ConnectError> {
        self.subscribe(Source::Queue { name: queue.into(), prefetch }, usize::from(prefetch)).await
    }

    /// Listens to `rekindle.events` from now on, through a queue of its own that goes when the consumer does. Keys as
    /// in AMQP topics: `*.JOB.#`, `job.*.ended`. Deliveries need no settling. What happens while the connection is
    /// down is not heard.
    ///
    /// # Errors
    /// When the broker was closed.
    pub async fn listen(&self, keys: &[&str]) -> Result<Consumer, ConnectError> {
        let keys = keys.iter().map(ToString::to_string).collect();
        self.subscribe(Source::Events { keys }, LISTEN_BUFFER).await
    }

    async fn subscribe(&self, source: Source, buffer: usize) -> Result<Consumer, ConnectError> {
        let stop = self.closed().child_token();
        let (sender, deliveries) = mpsc::channel(buffer.max(1));
        let (subscribed, is_subscribed) = oneshot::channel();
        let subscription = Subscription {
            source,
            line: self.line(),
            lane: self.lanes().windowed.clone(),
            deliveries: sender,
            stop: stop.clone(),
        };
        let stop = stop.drop_guard();
        self.tasks().spawn(subscription.run(subscribed));
        is_subscribed.await.unwrap_or(Err(ConnectError::Closed))?;
        Ok(Consumer { deliveries, stop })
    }
}
