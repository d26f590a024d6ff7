//! Delayed delivery through the levels.

use std::time::Duration;

use broker::Disposition;
use contract::names::UNROUTABLE;
use tokio::time::Instant;

use crate::support::{Bench, QUEUE, attempt, next, number};

/// A busy machine may be late; early it must never be, but for the clocks' rounding.
const LATE: Duration = Duration::from_secs(5);
const EARLY: Duration = Duration::from_millis(5);

#[tokio::test]
async fn delayed_messages_come_when_they_are_due() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut consumer = bench.broker.consume(QUEUE, 100).await?;
    // No bit, one bit, several bits, and the last before a higher level.
    let delays = [0_u64, 125, 500, 875, 1_000, 1_125, 1_875, 2_000].map(Duration::from_millis);

    let start = Instant::now();
    let messages = delays
        .iter()
        .enumerate()
        .map(|(number, delay)| attempt(u32::try_from(number).expect("few")).after(*delay));
    for result in bench.broker.publish_all(messages.rev().collect()).await {
        result?;
    }
    let published = start.elapsed();

    let mut order = Vec::new();
    for _ in delays {
        let delivery = next(&mut consumer).await;
        let waited = start.elapsed();
        let delay = delays[number(&delivery) as usize];
        assert!(delay <= waited + EARLY, "due after {delay:?}, came after {waited:?}");
        assert!(waited <= delay + published + LATE, "due after {delay:?}, came after {waited:?}");
        assert_eq!(delivery.routing_key, QUEUE);
        order.push(number(&delivery));
        delivery.settle(Disposition::Ack).await;
    }
    // One whose queue does not exist when it is due is not lost either.
    let mut nowhere = attempt(9).after(Duration::from_millis(250));
    nowhere.routing_key = "work.dit.h900.spot".into();
    bench.broker.publish(nowhere).await?;
    let mut unroutable = bench.broker.consume(UNROUTABLE, 1).await?;
    let delivery = next(&mut unroutable).await;
    assert_eq!((number(&delivery), delivery.routing_key.as_str()), (9, "work.dit.h900.spot"));

    assert_eq!(order[0], 0);
    assert_eq!(order[7], 7);
    Ok(())
}
