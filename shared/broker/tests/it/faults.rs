//! The broker is killed, the line is cut, the line goes silent.

use std::{collections::BTreeSet, time::Duration};

use broker::{Broker, Disposition, Settled};
use local_broker::testing::{PrivateBroker, Proxy, TestVhost, eventually};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Bench, LIMIT, QUEUE, attempt, attempts, connect, foreign_channel, next, number, options,
};
use lapin::options::QueueDeleteOptions;

const MESSAGES: u32 = 1_000;

#[tokio::test]
async fn nothing_is_lost_when_the_broker_is_killed_while_messages_are_published() -> anyhow::Result<()> {
    let mut private = PrivateBroker::start().await?;
    let broker = connect(private.node.amqp_url()).await?;
    broker.ensure_work_queue(QUEUE).await?;
    let mut consumer = broker.consume(QUEUE, 100).await?;

    let publishing = async {
        for chunk in 0..10 {
            let numbers = chunk * (MESSAGES / 10)..(chunk + 1) * (MESSAGES / 10);
            // Every third one waits at a level when the broker dies.
            let messages = numbers.map(|number| {
                attempt(number).after(Duration::from_millis(if number % 3 == 0 { 500 } else { 0 }))
            });
            for result in broker.publish_all(messages.collect()).await {
                result?;
            }
        }
        anyhow::Ok(())
    };
    let killing = async {
        // Some are through, most are not.
        let mut through = BTreeSet::new();
        while through.len() < 50 {
            let delivery = next(&mut consumer).await;
            through.insert(number(&delivery));
            delivery.settle(Disposition::Ack).await;
        }
        let in_hand = next(&mut consumer).await;
        private.node.kill().await;
        broker.online().wait_for(|online| !online).await?;
        assert_eq!(in_hand.settle(Disposition::Ack).await, Settled::Stale);
        private.node.restart().await?;
        anyhow::Ok(through)
    };
    let (published, arrived) = tokio::join!(publishing, killing);
    published?;

    let mut arrived = arrived?;
    while arrived.len() < MESSAGES as usize {
        let delivery = next(&mut consumer).await;
        arrived.insert(number(&delivery));
        delivery.settle(Disposition::Ack).await;
    }
    assert_eq!(arrived, (0..MESSAGES).collect());
    Ok(())
}

#[tokio::test]
async fn everything_goes_on_after_the_line_was_cut() -> anyhow::Result<()> {
    let vhost = TestVhost::create().await?;
    let proxy = Proxy::start(vhost.amqp_url()).await?;
    let broker = connect(proxy.url()).await?;
    broker.ensure_work_queue(QUEUE).await?;
    let mut consumer = broker.consume(QUEUE, 2).await?;
    let mut listener = broker.listen(&["#"]).await?;
    broker.publish_all(attempts(0..2)).await;
    let in_hand = next(&mut consumer).await;

    proxy.cut();
    broker.online().wait_for(|online| !online).await?;
    assert!(in_hand.is_stale());
    assert_eq!(in_hand.settle(Disposition::Reject("too late".into())).await, Settled::Stale);

    // What is published meanwhile waits for the line.
    let publishing = broker.publish_all(attempts(2..10));
    let restoring = async {
        tokio::task::yield_now().await;
        proxy.restore();
        broker.online().wait_for(|online| *online).await.map(drop)
    };
    let (results, restored) = tokio::join!(publishing, restoring);
    restored?;
    for result in results {
        result?;
    }

    let mut arrived = BTreeSet::new();
    while arrived.len() < 10 {
        let delivery = next(&mut consumer).await;
        arrived.insert(number(&delivery));
        assert_eq!(delivery.settle(Disposition::Ack).await, Settled::Sent);
    }
    let event = contract::events::AttemptNote {
        job_id: contract::JobId::generate(),
        attempt: 1,
        note: "still there".into(),
        at: contract::Timestamp::default(),
    };
    eventually("the listener is back", async || {
        broker.publish(broker::Outgoing::event(&event)).await.expect("published");
        timeout(Duration::from_millis(100), listener.next()).await.is_ok()
    })
    .await
}

#[tokio::test]
async fn a_silent_line_is_noticed_by_its_heartbeat() -> anyhow::Result<()> {
    let vhost = TestVhost::create().await?;
    let proxy = Proxy::start(vhost.amqp_url()).await?;
    let mut options = options(proxy.url());
    options.heartbeat = Duration::from_secs(1);
    let broker = Broker::connect(options, &CancellationToken::new()).await?;
    broker.ensure_work_queue(QUEUE).await?;

    proxy.stall();
    let mut online = broker.online();
    timeout(LIMIT, online.wait_for(|online| !online)).await??;
    proxy.restore();
    timeout(LIMIT, online.wait_for(|online| *online)).await??;
    broker.publish(attempt(1)).await?;
    Ok(())
}

#[tokio::test]
async fn connections_that_the_broker_closes_come_back() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut consumer = bench.broker.consume(QUEUE, 10).await?;
    let mut online = bench.broker.online();
    let management = bench.vhost.management();
    eventually("the management interface closes the connection", async || {
        management.close_connections(bench.vhost.name()).await.is_ok_and(|closed| 0 < closed)
    })
    .await?;
    timeout(LIMIT, online.wait_for(|online| !online)).await??;
    bench.broker.publish(attempt(1)).await?;
    assert_eq!(number(&next(&mut consumer).await), 1);
    Ok(())
}

#[tokio::test]
async fn a_deleted_queue_comes_back_with_the_next_connection() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut consumer = bench.broker.consume(QUEUE, 10).await?;
    let other = foreign_channel(bench.vhost.amqp_url()).await?;
    other.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;

    let mut online = bench.broker.online();
    let management = bench.vhost.management();
    eventually("the management interface closes the connections", async || {
        management.close_connections(bench.vhost.name()).await.is_ok_and(|closed| 0 < closed)
    })
    .await?;
    timeout(LIMIT, online.wait_for(|online| !online)).await??;
    timeout(LIMIT, online.wait_for(|online| *online)).await??;
    bench.broker.publish(attempt(1)).await?;
    assert_eq!(number(&next(&mut consumer).await), 1);
    Ok(())
}
