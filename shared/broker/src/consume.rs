//! Consuming: deliveries, and what becomes of them.

use contract::{DecodeError, Message};

use crate::{Broker, ReplyTo};

/// What becomes of a delivery. Only this crate acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Done with.
    Ack,
    /// Back to its queue, for another consumer or another time.
    Requeue,
    /// To the dead letters, with the reason in the header `rekindle-reason`.
    Reject(String),
}

/// Whether a disposition reached the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was sent on the connection the delivery came on.
    Sent,
    /// That connection is gone: the broker will deliver the message again.
    Stale,
}

/// A message from a queue. Dropping it without settling leaves it unacknowledged until the consumer ends.
#[derive(Debug)]
pub struct Delivery {
    /// The bytes.
    pub body: Vec<u8>,
    /// Whether the broker had delivered it before.
    pub redelivered: bool,
    /// The publisher's own name for it.
    pub message_id: Option<String>,
    /// Where an answer is awaited.
    pub reply_to: Option<ReplyTo>,
    /// W3C trace context of the publisher.
    pub traceparent: Option<String>,
    /// The routing key it came with.
    pub routing_key: String,
}

impl Delivery {
    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong.
    pub fn decode<M: Message>(&self) -> Result<M, DecodeError> {
        contract::decode(&self.body)
    }

    /// Tells the broker what becomes of it.
    pub async fn settle(self, disposition: Disposition) -> Settled {
        let _ = disposition;
        unimplemented!()
    }
}

/// A subscription to a queue that survives reconnects.
#[derive(Debug)]
pub struct Consumer {}

impl Consumer {
    /// The next delivery; `None` once the broker is closed.
    pub async fn next(&mut self) -> Option<Delivery> {
        unimplemented!()
    }

    /// Waits for one delivery and takes what else is already here, `max` at most; empty once the broker is closed.
    pub async fn next_batch(&mut self, max: usize) -> Vec<Delivery> {
        let _ = max;
        unimplemented!()
    }

    /// Stops taking deliveries. What was delivered and not returned by [`next`](Self::next) goes back to the queue;
    /// deliveries in the caller's hands can still be settled.
    pub async fn cancel(self) {
        unimplemented!()
    }
}

impl Broker {
    /// Subscribes to a queue of the topology, or a work queue, with at most `prefetch` unsettled deliveries.
    pub async fn consume(&self, queue: &str, prefetch: u16) -> Result<Consumer, crate::ConnectError> {
        let _ = (queue, prefetch);
        unimplemented!()
    }

    /// Listens to `rekindle.events` from now on, through a queue of its own that goes when the consumer does. Keys as
    /// in AMQP topics: `*.JOB.#`, `job.*.ended`. Deliveries need no settling.
    pub async fn listen(&self, keys: &[&str]) -> Result<Consumer, crate::ConnectError> {
        let _ = keys;
        unimplemented!()
    }
}
