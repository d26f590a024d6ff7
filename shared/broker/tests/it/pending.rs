//! Many messages that are delayed at once.

use std::{collections::BTreeSet, time::Duration};

use broker::{Broker, Disposition, Outgoing};
use tokio::time::{Instant, timeout};

use crate::support::{Bench, LIMIT, QUEUE, attempt, number};

/// How many wait at once.
const PENDING: u32 = 5_000;
/// Those that are published last, all in one go: a crowd with a long delay, and one with a short one.
const CROWD: u32 = 50;
const LONG: Duration = Duration::from_secs(8);
const SHORT: Duration = Duration::from_millis(250);

/// Delays from one second to seven, none like the one before: those of retries with jitter.
fn delay(number: u32) -> Duration {
    Duration::from_millis(1_000 + u64::from(number * 4_271 % 6_000))
}

async fn publish(broker: &Broker, messages: Vec<Outgoing>) -> anyhow::Result<()> {
    for published in broker.publish_all(messages).await {
        published?;
    }
    Ok(())
}

#[tokio::test]
async fn thousands_that_wait_all_come_once_and_hold_up_no_other() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut consumer = bench.broker.consume(QUEUE, 500).await?;

    let began = Instant::now();
    publish(&bench.broker, (0..PENDING).map(|number| attempt(number).after(delay(number))).collect()).await?;
    let crowd = (PENDING..PENDING + CROWD).map(|number| attempt(number).after(LONG));
    let short = PENDING + CROWD;
    publish(&bench.broker, crowd.chain([attempt(short).after(SHORT)]).collect()).await?;

    let (mut order, mut early) = (Vec::new(), Vec::new());
    while order.len() <= short as usize {
        let batch = timeout(LIMIT, consumer.next_batch(500)).await?;
        assert!(!batch.is_empty(), "the broker is open");
        for delivery in batch {
            let number = number(&delivery);
            // Nothing may come before its delay has passed since anything was published.
            if number < PENDING && began.elapsed() < delay(number) {
                early.push(number);
            }
            order.push(number);
            delivery.settle(Disposition::Ack).await;
        }
    }

    let different: BTreeSet<u32> = order.iter().copied().collect();
    assert_eq!(different, (0..=short).collect(), "all come");
    assert_eq!(order.len(), different.len(), "none comes twice");
    assert_eq!(early, Vec::<u32>::new(), "none comes early");
    let place = |wanted: u32| order.iter().position(|number| *number == wanted);
    let before = (PENDING..short).filter(|member| place(*member) < place(short)).count();
    assert_eq!(before, 0, "what is due soon was published last and comes before what is due later");
    Ok(())
}
