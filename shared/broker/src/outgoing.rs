//! Publishing, with a confirm for everything.

use std::time::Duration;

use contract::{MAX_MESSAGE_BYTES, Message, events::Event, names::EVENTS_EXCHANGE};

use crate::{
    Broker, ReplyTo,
    lane::{Lane, Receipt},
    parcel::Parcel,
};

/// A message ready to be published: plain data, so that it can wait in an outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The exchange; empty means straight to the queue named by the routing key.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// The encoded message.
    pub body: Vec<u8>,
    /// What makes a repeated publish recognisable.
    pub message_id: Option<String>,
    /// The question that this answers.
    pub correlation_id: Option<String>,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// How long the broker holds it back; at most 36 hours. Only for messages to `rekindle.work`.
    pub delay: Duration,
    /// W3C trace context. The present span's when absent.
    pub traceparent: Option<String>,
}

/// A message was not taken by the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The broker was closed, or the service is stopping, before the message was confirmed.
    #[error("the line to the broker was closed before the message was confirmed")]
    Closed,
    /// No queue takes it.
    #[error("no queue takes messages for {routing_key:?} on {exchange:?}")]
    Unroutable {
        /// Where it went.
        exchange: String,
        /// Its key.
        routing_key: String,
    },
    /// The broker did not take it.
    #[error("the broker refused a message for {routing_key:?}: a queue is full, or has no leader")]
    Nacked {
        /// Its key.
        routing_key: String,
    },
    /// Larger than anybody may send; it was not sent.
    #[error("the message has {bytes} bytes; at most {MAX_MESSAGE_BYTES} may be sent")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The address cannot be right; it was not sent.
    #[error("a message for {routing_key:?} on {exchange:?} cannot be sent: {why}")]
    NotSendable {
        /// Where it was to go.
        exchange: String,
        /// Its key.
        routing_key: String,
        /// What is wrong.
        why: String,
    },
    /// The broker closes the channel over it: this user may not publish there, say.
    #[error("the broker refuses messages for {routing_key:?} on {exchange:?}")]
    Refused {
        /// Where it went.
        exchange: String,
        /// Its key.
        routing_key: String,
        /// Why.
        #[source]
        error: Box<lapin::Error>,
    },
}

impl Outgoing {
    /// A durable message of the contract.
    pub fn new<M: Message>(exchange: &str, routing_key: impl Into<String>, message: &M) -> Self {
        Self {
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            body: contract::encode(message),
            message_id: None,
            correlation_id: None,
            durable: true,
            delay: Duration::ZERO,
            traceparent: None,
        }
    }

    /// A durable event on `rekindle.events`.
    pub fn event<E: Event>(event: &E) -> Self {
        Self::new(EVENTS_EXCHANGE, event.routing_key(), event)
    }

    /// The same, gone when the broker restarts: for what is said again anyway.
    #[must_use]
    pub fn transient(self) -> Self {
        Self { durable: false, ..self }
    }

    /// The same, held back by the broker.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The answer to a request. Transient: who misses it asks again.
    pub fn reply<M: Message>(to: &ReplyTo, message: &M) -> Self {
        let correlation_id = Some(to.correlation_id.clone());
        Self { correlation_id, ..Self::new("", to.queue.clone(), message).transient() }
    }

    /// Whether it is a failure when no queue takes it. An event that nobody listens to is none, and what is transient
    /// is said again.
    fn is_mandatory(&self) -> bool {
        self.durable && self.exchange != EVENTS_EXCHANGE
    }
}

impl Broker {
    /// Publishes and waits for the confirm, over as many reconnects as it takes.
    ///
    /// # Errors
    /// [`PublishError::Unroutable`] when no queue takes a durable message that is not an event; the others as they say.
    pub async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let lanes = self.lanes();
        let lane = if message.is_mandatory() { &lanes.mandatory } else { &lanes.windowed };
        self.hand_in(lane, message).await?.confirmed().await
    }

    /// Publishes many in one window of confirms; results in the order given. A message that no queue takes ends in
    /// `unroutable` by way of the alternate exchange rather than as an error.
    pub async fn publish_all(&self, messages: Vec<Outgoing>) -> Vec<Result<(), PublishError>> {
        let mut receipts = Vec::with_capacity(messages.len());
        for message in messages {
            receipts.push(self.hand_in(&self.lanes().of_many(&message), message).await);
        }
        let mut results = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            results.push(match receipt {
                Ok(receipt) => receipt.confirmed().await,
                Err(error) => Err(error),
            });
        }
        results
    }

    async fn hand_in(&self, lane: &Lane, message: Outgoing) -> Result<Receipt, PublishError> {
        lane.hand_in(Parcel::pack(message, self.name())?).await
    }
}
