//! A message in its AMQP form.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{
    MAX_MESSAGE_BYTES,
    names::{DEAD_EXCHANGE, EVENTS_EXCHANGE, JOBS_EXCHANGE, REQUESTS_EXCHANGE, WORK_EXCHANGE},
};
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{Outgoing, PublishError, delay, topology::delay_exchange};

const PERSISTENT: u8 = 2;
const TRANSIENT: u8 = 1;

/// The W3C trace context.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// RabbitMQ's name for "the channel this came on".
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";
/// Why a message lies in the dead letters.
pub(crate) const REASON: &str = "rekindle-reason";
/// The queue a dead letter was in.
pub(crate) const FROM_QUEUE: &str = "rekindle-queue";

/// The exchanges that messages may be published to; the empty name is the way straight to a queue. Publishing to one
/// that does not exist would end the channel, and with it everybody's unconfirmed messages.
const EXCHANGES: [&str; 6] =
    ["", JOBS_EXCHANGE, REQUESTS_EXCHANGE, WORK_EXCHANGE, EVENTS_EXCHANGE, DEAD_EXCHANGE];

/// A message ready for a channel.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

impl Parcel {
    /// Checks the message and puts it into its AMQP form.
    pub(crate) fn pack(message: Outgoing, app_id: &str) -> Result<Self, PublishError> {
        if MAX_MESSAGE_BYTES < message.body.len() {
            return Err(PublishError::TooLarge { bytes: message.body.len() });
        }
        let (exchange, routing_key) = address(&message)?;
        let properties = properties(&message, app_id);
        Ok(Self { exchange, routing_key, properties, body: message.body })
    }

    /// A dead letter with its reason. The body goes as it came, whatever it is.
    pub(crate) fn dead_letter(
        body: Vec<u8>,
        queue: &str,
        reason: &str,
        properties: &BasicProperties,
    ) -> Self {
        let mut headers = FieldTable::default();
        headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
        headers.insert(FROM_QUEUE.into(), AMQPValue::LongString(queue.into()));
        if let Some(traceparent) = header(properties, TRACEPARENT) {
            headers.insert(TRACEPARENT.into(), AMQPValue::LongString(traceparent.into()));
        }
        let mut kept = BasicProperties::default().with_headers(headers).with_delivery_mode(PERSISTENT);
        if let Some(message_id) = properties.message_id() {
            kept = kept.with_message_id(message_id.clone());
        }
        if let Some(kind) = properties.kind() {
            kept = kept.with_type(kind.clone());
        }
        if let Some(content_type) = properties.content_type() {
            kept = kept.with_content_type(content_type.clone());
        }
        let routing_key = ShortString::try_new(queue).expect("a name that the broker gave us is short");
        Self { exchange: DEAD_EXCHANGE.into(), routing_key, properties: kept, body }
    }

    /// The same, for one who asks: where the answer goes, to which question, and for how long it is of use.
    pub(crate) fn asking(mut self, correlation_id: u64, expires: Option<Duration>) -> Self {
        let mut properties = self
            .properties
            .with_reply_to(REPLY_TO.into())
            .with_correlation_id(correlation_id.to_string().into());
        if let Some(expires) = expires {
            properties = properties.with_expiration(expires.as_millis().to_string().into());
        }
        self.properties = properties;
        self
    }

    /// Publishes and waits for the confirm. All up to the first wait happens at the first poll, so publishes take the
    /// order in which they are first polled; lapin numbers them wrongly if two tasks do that on one channel.
    pub(crate) async fn publish(&self, channel: &Channel, mandatory: bool) -> lapin::Result<Confirmation> {
        let options = BasicPublishOptions { mandatory, ..Default::default() };
        let (exchange, routing_key) = (self.exchange.clone(), self.routing_key.clone());
        channel
            .basic_publish(exchange, routing_key, options, &self.body, self.properties.clone())
            .await?
            .await
    }
}

/// A header of a message, if it is there and is text.
pub(crate) fn header(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn address(message: &Outgoing) -> Result<(ShortString, ShortString), PublishError> {
    let not_sendable = |why: String| PublishError::NotSendable {
        exchange: message.exchange.clone(),
        routing_key: message.routing_key.clone(),
        why,
    };
    if !EXCHANGES.contains(&message.exchange.as_str()) {
        return Err(not_sendable(format!("the exchange is none of {EXCHANGES:?}")));
    }
    let route = delay::route(message.delay, &message.routing_key);
    if route.is_some() && message.exchange != WORK_EXCHANGE {
        return Err(not_sendable(format!("only messages to {WORK_EXCHANGE:?} can be delayed")));
    }
    let (exchange, routing_key) = match route {
        Some(route) => (delay_exchange(route.level), route.routing_key),
        None => (message.exchange.clone(), message.routing_key.clone()),
    };
    let short = |text| ShortString::try_new(text).map_err(|error| not_sendable(error.to_string()));
    Ok((short(exchange)?, short(routing_key)?))
}

fn properties(message: &Outgoing, app_id: &str) -> BasicProperties {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(if message.durable { PERSISTENT } else { TRANSIENT })
        .with_timestamp(now.as_secs());
    let short = |text: &str| ShortString::try_new(text).ok();
    if let Some(app_id) = short(app_id) {
        properties = properties.with_app_id(app_id);
    }
    if let Some(kind) = contract::kind_of(&message.body).ok().as_deref().and_then(short) {
        properties = properties.with_type(kind);
    }
    if let Some(message_id) = message.message_id.as_deref().and_then(short) {
        properties = properties.with_message_id(message_id);
    }
    if let Some(correlation_id) = message.correlation_id.as_deref().and_then(short) {
        properties = properties.with_correlation_id(correlation_id);
    }
    if let Some(traceparent) = message.traceparent.clone().or_else(telemetry::traceparent) {
        let mut headers = FieldTable::default();
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(traceparent.into()));
        properties = properties.with_headers(headers);
    }
    properties
}
