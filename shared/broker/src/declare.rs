//! Declaring the topology on a connection.

use lapin::{
    Channel, Connection,
    options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::{
    ConnectError,
    topology::{Argument, Binding, Destination, Exchange, ExchangeKind, Queue, Topology, Value},
};

/// Declares all of it, on a channel of its own, because the broker closes the channel at the first difference.
pub(crate) async fn declare(connection: &Connection, topology: &Topology) -> Result<(), ConnectError> {
    let opened = connection.create_channel().await;
    let channel = opened.map_err(|error| ConnectError::from_declaration("open", "a channel", error))?;
    for exchange in &topology.exchanges {
        let subject = format!("the exchange {:?}", exchange.name);
        declare_exchange(&channel, exchange)
            .await
            .map_err(|error| ConnectError::from_declaration("declare", &subject, error))?;
    }
    for queue in &topology.queues {
        let subject = format!("the queue {:?}", queue.name);
        declare_queue(&channel, queue)
            .await
            .map_err(|error| ConnectError::from_declaration("declare", &subject, error))?;
    }
    for binding in &topology.bindings {
        bind(&channel, binding).await.map_err(|error| {
            ConnectError::from_declaration("bind to", &format!("the exchange {:?}", binding.source), error)
        })?;
    }
    Ok(())
}

async fn declare_exchange(channel: &Channel, exchange: &Exchange) -> lapin::Result<()> {
    let kind = match exchange.kind {
        ExchangeKind::Direct => lapin::ExchangeKind::Direct,
        ExchangeKind::Topic => lapin::ExchangeKind::Topic,
        ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
    };
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(name(&exchange.name), kind, options, table(&exchange.arguments)).await
}

async fn declare_queue(channel: &Channel, queue: &Queue) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name(&queue.name), options, table(&queue.arguments)).await.map(drop)
}

async fn bind(channel: &Channel, binding: &Binding) -> lapin::Result<()> {
    let (source, key) = (name(&binding.source), name(&binding.key));
    let arguments = FieldTable::default();
    match &binding.destination {
        Destination::Queue(queue) => {
            channel.queue_bind(name(queue), source, key, QueueBindOptions::default(), arguments).await
        }
        Destination::Exchange(exchange) => {
            channel
                .exchange_bind(name(exchange), source, key, ExchangeBindOptions::default(), arguments)
                .await
        }
    }
}

fn name(text: &str) -> ShortString {
    ShortString::try_new(text).expect("names of the topology are short, and those of work queues are checked")
}

fn table(arguments: &[Argument]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            Value::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Value::Number(number) => AMQPValue::LongLongInt(*number),
            Value::Flag(flag) => AMQPValue::Boolean(*flag),
        };
        table.insert((*name).into(), value);
    }
    table
}
