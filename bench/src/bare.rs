//! The floor under all of it: one message published, confirmed, consumed and acknowledged, with nothing around it.

use std::time::Instant;

use anyhow::Context;
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};

use crate::figures::Times;

const QUEUE: &str = "bench.bare";
const BODY: [u8; 1024] = [b'x'; 1024];

/// Publishes `count` messages to a quorum queue, `window` unconfirmed at a time, and takes them out again.
pub(crate) async fn messages_per_second(url: &str, count: usize, window: usize) -> anyhow::Result<f64> {
    let connection = connect(url).await?;
    let publisher = channel(&connection).await?;
    let consumer = channel(&connection).await?;
    let began = Instant::now();
    let (published, consumed) = tokio::join!(publish(&publisher, count, window), consume(&consumer, count));
    published?;
    consumed?;
    let taken = began.elapsed();
    connection.close(0, "done".into()).await?;
    Ok(crate::figures::rate(count, taken))
}

/// How long one message takes from its publish to its consumer, when there is no other.
pub(crate) async fn latency(url: &str, count: usize) -> anyhow::Result<Times> {
    let connection = connect(url).await?;
    let channel = channel(&connection).await?;
    let mut deliveries = subscribe(&channel).await?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        publish(&channel, 1, 1).await?;
        let delivery = deliveries.next().await.context("the consumer ended")??;
        times.push(began.elapsed());
        delivery.acker.ack(BasicAckOptions::default()).await?;
    }
    connection.close(0, "done".into()).await?;
    Ok(Times::new(times))
}

async fn connect(url: &str) -> anyhow::Result<Connection> {
    Connection::connect(url, ConnectionProperties::default()).await.context("the broker does not answer")
}

async fn channel(connection: &Connection) -> anyhow::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.basic_qos(256, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), options, arguments).await?;
    Ok(channel)
}

async fn publish(channel: &Channel, count: usize, window: usize) -> anyhow::Result<()> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let confirms = futures::stream::iter(0..count)
        .map(async |_| {
            let options = BasicPublishOptions::default();
            channel.basic_publish("".into(), QUEUE.into(), options, &BODY, properties.clone()).await?.await
        })
        .buffer_unordered(window);
    let mut confirms = std::pin::pin!(confirms);
    while let Some(confirm) = confirms.next().await {
        confirm?;
    }
    Ok(())
}

async fn consume(channel: &Channel, count: usize) -> anyhow::Result<()> {
    let mut deliveries = subscribe(channel).await?;
    for _ in 0..count {
        let delivery = deliveries.next().await.context("the consumer ended")??;
        delivery.acker.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

async fn subscribe(channel: &Channel) -> anyhow::Result<lapin::Consumer> {
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    Ok(channel.basic_consume(QUEUE.into(), "".into(), options, arguments).await?)
}
