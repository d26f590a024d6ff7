//! Deliveries, and what becomes of them.

use std::{fmt, sync::Arc};

use contract::{DecodeError, Message};
use futures::future::join_all;
use lapin::{
    Acker, BasicProperties, Channel,
    options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions},
};

use crate::{
    ReplyTo, delay,
    lane::Lane,
    line::Session,
    parcel::{FROM_QUEUE, Parcel, REASON, TRACEPARENT, header},
};

/// What becomes of a delivery. Only this crate acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Done with.
    Ack,
    /// Back to its queue, for another consumer or another time. RabbitMQ 3.10 counts this towards the delivery
    /// limit, 4.3 only the deliveries whose consumer died.
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
    /// The routing key it came with, without the words of the delay levels.
    pub routing_key: String,
    /// Why it was dead-lettered, if it was: the reason given to [`Disposition::Reject`], or the broker's own word.
    pub reason: Option<String>,
    /// The queue it was dead-lettered from, if it was.
    pub from_queue: Option<String>,
    properties: BasicProperties,
    acker: Acker,
    origin: Arc<Origin>,
}

/// Where deliveries come from. The channel stays open until the last of them is settled or dropped.
pub(crate) struct Origin {
    pub(crate) session: Arc<Session>,
    pub(crate) channel: Channel,
    pub(crate) queue: String,
    /// Whether the broker waits to hear what became of them.
    pub(crate) settles: bool,
    pub(crate) lane: Lane,
}

impl Delivery {
    pub(crate) fn new(delivery: lapin::message::Delivery, origin: Arc<Origin>) -> Self {
        let lapin::message::Delivery { routing_key, redelivered, properties, data, acker, .. } = delivery;
        let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
        let correlation_id = text(properties.correlation_id()).unwrap_or_default();
        Self {
            body: data,
            redelivered,
            message_id: text(properties.message_id()),
            reply_to: text(properties.reply_to()).map(|queue| ReplyTo { queue, correlation_id }),
            traceparent: header(&properties, TRACEPARENT),
            routing_key: delay::target(routing_key.as_str()).into(),
            reason: header(&properties, REASON).or_else(|| header(&properties, "x-first-death-reason")),
            from_queue: header(&properties, FROM_QUEUE)
                .or_else(|| header(&properties, "x-first-death-queue")),
            properties,
            acker,
            origin,
        }
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong.
    pub fn decode<M: Message>(&self) -> Result<M, DecodeError> {
        contract::decode(&self.body)
    }

    /// Tells the broker what becomes of it. Many are settled together at little more than the price of one:
    /// see [`settle_all`].
    pub async fn settle(self, disposition: Disposition) -> Settled {
        if !self.origin.settles {
            return Settled::Sent;
        }
        if self.is_stale() {
            return Settled::Stale;
        }
        let sent = self.origin.session.outcome(async {
            match disposition {
                Disposition::Ack => self.acker.ack(BasicAckOptions::default()).await,
                Disposition::Requeue => {
                    self.acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await
                }
                Disposition::Reject(reason) => self.reject(&reason).await,
            }
        });
        // `Ok(false)`: the channel ended before this was sent.
        if matches!(sent.await, Ok(true)) { Settled::Sent } else { Settled::Stale }
    }

    /// Whether the connection it came on is gone, so that the broker will deliver it again.
    pub fn is_stale(&self) -> bool {
        self.origin.settles && (self.origin.session.is_lost() || !self.acker.usable())
    }

    /// Publishes it to the dead letters, then acknowledges it. The broker's own dead-lettering keeps no reason, so it
    /// is only used when this fails.
    async fn reject(&self, reason: &str) -> lapin::Result<bool> {
        let Origin { queue, lane, .. } = &*self.origin;
        let parcel = Parcel::dead_letter(self.body.clone(), queue, reason, &self.properties);
        let published = async { lane.hand_in(parcel).await?.confirmed().await };
        match published.await {
            Ok(()) => self.acker.ack(BasicAckOptions::default()).await,
            Err(error) => {
                tracing::warn!(%error, queue, reason, "a dead letter loses its reason");
                self.acker.reject(BasicRejectOptions { requeue: false }).await
            }
        }
    }
}

/// Settles many deliveries side by side; results in the order given.
pub async fn settle_all(deliveries: impl IntoIterator<Item = (Delivery, Disposition)>) -> Vec<Settled> {
    join_all(deliveries.into_iter().map(|(delivery, disposition)| delivery.settle(disposition))).await
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("queue", &self.origin.queue)
            .field("routing_key", &self.routing_key)
            .field("message_id", &self.message_id)
            .field("redelivered", &self.redelivered)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
