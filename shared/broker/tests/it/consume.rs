//! Consuming and settling.

use broker::{ConnectError, Disposition, Settled, settle_all};
use contract::{MAX_MESSAGE_BYTES, lease::OfferAttempt, names::DEAD_LETTERS};
use lapin::{BasicProperties, options::BasicPublishOptions};
use local_broker::testing::eventually;

use crate::support::{Bench, QUEUE, attempt, attempts, connect, foreign_channel, next, number};

#[tokio::test]
async fn settled_messages_are_gone_and_requeued_ones_come_back() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut consumer = bench.broker.consume(QUEUE, 100).await?;
    bench.broker.publish_all(attempts(0..100)).await;

    let mut deliveries = Vec::new();
    while deliveries.len() < 100 {
        let batch = consumer.next_batch(100 - deliveries.len()).await;
        assert!(!batch.is_empty());
        deliveries.extend(batch);
    }
    let dispositions = deliveries.into_iter().map(|delivery| {
        let back = number(&delivery) == 7;
        (delivery, if back { Disposition::Requeue } else { Disposition::Ack })
    });
    let settled = settle_all(dispositions).await;
    assert!(settled.iter().all(|settled| *settled == Settled::Sent), "{settled:?}");

    let again = next(&mut consumer).await;
    assert_eq!(number(&again), 7);
    assert!(again.redelivered);
    assert_eq!(again.settle(Disposition::Ack).await, Settled::Sent);
    eventually("the queue is empty", async || {
        bench.queue(QUEUE).await.is_some_and(|queue| queue.messages == 0 && queue.consumers == 1)
    })
    .await
}

#[tokio::test]
async fn a_rejected_message_keeps_its_reason() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut consumer = bench.broker.consume(QUEUE, 10).await?;
    let mut dead_letters = bench.broker.consume(DEAD_LETTERS, 10).await?;

    // Another program's message, and larger than anybody may send.
    let body = vec![0xff; MAX_MESSAGE_BYTES + 1];
    let properties = BasicProperties::default().with_message_id("poison".into());
    let foreign = foreign_channel(bench.vhost.amqp_url()).await?;
    foreign.basic_publish("".into(), QUEUE.into(), BasicPublishOptions::default(), &body, properties).await?;
    let rejected = next(&mut consumer).await;
    let reason = rejected.decode::<OfferAttempt>().expect_err("not a message").to_string();
    assert_eq!(rejected.settle(Disposition::Reject(reason.clone())).await, Settled::Sent);

    let dead = next(&mut dead_letters).await;
    assert_eq!(dead.body, body);
    assert_eq!(dead.reason, Some(reason));
    assert_eq!(dead.from_queue.as_deref(), Some(QUEUE));
    assert_eq!(dead.message_id.as_deref(), Some("poison"));
    Ok(())
}

#[tokio::test]
async fn a_message_that_its_consumers_die_with_ends_in_the_dead_letters() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut dead_letters = bench.broker.consume(DEAD_LETTERS, 1).await?;
    bench.broker.publish(attempt(1)).await?;

    // Each connection ends with the message in its hands. RabbitMQ 3.10 counts an orderly return as well, 4.3 does not.
    let mut deliveries = 0;
    let dead = loop {
        let broker = connect(bench.vhost.amqp_url()).await?;
        let mut consumer = broker.consume(QUEUE, 1).await?;
        tokio::select! {
            delivery = next(&mut consumer) => {
                deliveries += 1;
                drop(delivery);
            }
            dead = next(&mut dead_letters) => break dead,
        }
    };
    assert!((20..=21).contains(&deliveries), "{deliveries}");
    assert_eq!(dead.reason.as_deref(), Some("delivery_limit"));
    assert_eq!(dead.from_queue.as_deref(), Some(QUEUE));
    assert_eq!(number(&dead), 1);
    Ok(())
}

#[tokio::test]
async fn cancelling_gives_back_what_was_not_taken() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    bench.broker.publish_all(attempts(0..20)).await;
    let mut consumer = bench.broker.consume(QUEUE, 10).await?;
    let in_hand = next(&mut consumer).await;
    consumer.cancel().await;

    // The rest went back, the one in hand did not, and can still be settled.
    let mut other = bench.broker.consume(QUEUE, 100).await?;
    let mut numbers = Vec::new();
    while numbers.len() < 19 {
        for delivery in other.next_batch(100).await {
            numbers.push(number(&delivery));
            delivery.settle(Disposition::Ack).await;
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..20).collect::<Vec<_>>());
    assert_eq!(in_hand.settle(Disposition::Ack).await, Settled::Sent);
    eventually("the queue is empty", async || {
        bench.queue(QUEUE).await.is_some_and(|queue| queue.messages == 0)
    })
    .await
}

#[tokio::test]
async fn dropping_a_consumer_gives_back_everything() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    bench.broker.publish_all(attempts(0..20)).await;
    let mut consumer = bench.broker.consume(QUEUE, 10).await?;
    drop(next(&mut consumer).await);
    drop(consumer);

    let mut other = bench.broker.consume(QUEUE, 100).await?;
    for _ in 0..20 {
        next(&mut other).await.settle(Disposition::Ack).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_consumer_ends_with_its_broker() -> anyhow::Result<()> {
    let Bench { broker, vhost } = Bench::new().await?;
    broker.publish(attempt(1)).await?;
    let mut consumer = broker.consume(QUEUE, 1).await?;
    let in_hand = next(&mut consumer).await;

    drop(broker);
    assert!(consumer.next().await.is_none());
    assert_eq!(in_hand.settle(Disposition::Ack).await, Settled::Stale);
    let other = connect(vhost.amqp_url()).await?;
    let mut consumer = other.consume(QUEUE, 1).await?;
    assert!(next(&mut consumer).await.redelivered);
    Ok(())
}

#[tokio::test]
async fn consuming_from_nowhere_is_an_error() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let error = bench.broker.consume("no-such-queue", 1).await.expect_err("no such queue");
    assert!(matches!(error, ConnectError::Topology { .. }), "{error:?}");
    let text = format!("{:#}", anyhow::Error::from(error));
    assert!(text.contains("cannot subscribe to the queue \"no-such-queue\""), "{text}");

    bench.broker.close().await;
    let error = bench.broker.consume(QUEUE, 1).await.expect_err("closed");
    assert!(matches!(error, ConnectError::Closed), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn only_one_of_several_leads_and_another_takes_over() -> anyhow::Result<()> {
    use contract::names::{JOBS_EXCHANGE, SCHEDULER_JOBS, SUBMIT_KEY};
    let bench = Bench::new().await?;
    let submission = |number| {
        let mut message = attempt(number);
        message.exchange = JOBS_EXCHANGE.into();
        message.routing_key = SUBMIT_KEY.into();
        message
    };
    let mut leader = bench.broker.consume(SCHEDULER_JOBS, 10).await?;
    let mut heir = bench.broker.consume(SCHEDULER_JOBS, 10).await?;
    bench.broker.publish(submission(1)).await?;
    next(&mut leader).await.settle(Disposition::Ack).await;

    leader.cancel().await;
    bench.broker.publish(submission(2)).await?;
    assert_eq!(number(&next(&mut heir).await), 2);
    Ok(())
}
