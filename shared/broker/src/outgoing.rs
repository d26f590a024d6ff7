//! Publishing, with a confirm for everything.

use std::time::Duration;

use contract::{Message, events::Event};

use crate::{Broker, ReplyTo};

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
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// How long the broker holds it back. Only for messages to `rekindle.work`.
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
    /// The broker refused it.
    #[error("the broker refused a message for {routing_key:?}: a queue is full")]
    Nacked {
        /// Its key.
        routing_key: String,
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
            durable: true,
            delay: Duration::ZERO,
            traceparent: None,
        }
    }

    /// A durable event on `rekindle.events`.
    pub fn event<E: Event>(event: &E) -> Self {
        Self::new(contract::names::EVENTS_EXCHANGE, event.routing_key(), event)
    }

    /// The same, gone when the broker restarts: for what is said again anyway.
    pub fn transient(self) -> Self {
        Self { durable: false, ..self }
    }

    /// The same, held back by the broker.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The answer to a request.
    pub fn reply<M: Message>(to: &ReplyTo, message: &M) -> Self {
        let _ = (to, message);
        unimplemented!()
    }
}

impl Broker {
    /// Publishes and waits for the confirm, over as many reconnects as it takes.
    pub async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let _ = message;
        unimplemented!()
    }

    /// Publishes many in one window of confirms; results in the order given. A message that no queue takes ends in
    /// `unroutable` by way of the alternate exchange rather than as an error.
    pub async fn publish_all(&self, messages: Vec<Outgoing>) -> Vec<Result<(), PublishError>> {
        let _ = messages;
        unimplemented!()
    }
}
