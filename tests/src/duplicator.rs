//! Has everything that is published come twice.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use broker::{Broker, Delivery, Disposition, Outgoing};
use contract::names;
use local_broker::Management;
use tokio::task::JoinSet;

use crate::System;

/// What is copied: exchange, keys, and the queue of copies.
const SOURCES: [(&str, &[&str], &str); 4] = [
    (names::JOBS_EXCHANGE, &[names::SUBMIT_KEY], "copies.jobs"),
    (names::REQUESTS_EXCHANGE, &[names::SCHEDULER_KEY, names::CHECKPOINTS_KEY], "copies.requests"),
    (names::WORK_EXCHANGE, &["work.step.cpu.on-demand"], "copies.work"),
    (names::EVENTS_EXCHANGE, &["#"], "copies.events"),
];

/// Publishes each message once more, right after it came.
#[derive(Debug)]
pub struct Duplicator {
    copies: Arc<AtomicUsize>,
    management: Management,
    vhost: String,
    tasks: JoinSet<()>,
}

impl Duplicator {
    /// Copies from now on.
    pub async fn start(system: &System) -> Self {
        let copies = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let (management, vhost) = (system.home().management(), system.home().vhost());
        for (exchange, keys, queue) in SOURCES {
            management.create_queue(vhost, queue).await.expect("a queue of copies can be made");
            for key in keys {
                management.bind(vhost, exchange, key, queue).await.expect("it can be bound");
            }
            tasks.spawn(copy(system.broker.clone(), exchange, queue, copies.clone()));
        }
        Self { copies, management, vhost: vhost.into(), tasks }
    }

    /// Stops, and says how many copies were made.
    pub async fn stop(mut self) -> usize {
        self.tasks.shutdown().await;
        for (_, _, queue) in SOURCES {
            self.management.delete_queue(&self.vhost, queue).await.expect("a queue of copies can go");
        }
        self.copies.load(Ordering::Relaxed)
    }
}

async fn copy(broker: Broker, exchange: &'static str, queue: &'static str, copies: Arc<AtomicUsize>) {
    let mut consumer = broker.consume(queue, 100).await.expect("the queue of copies can be read");
    // A copy comes back here too. It is not copied again: of equal messages, every second one is ours.
    let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
    while let Some(delivery) = consumer.next().await {
        let times = seen.entry(delivery.body.clone()).or_default();
        *times += 1;
        if !times.is_multiple_of(2) {
            broker.publish(again(exchange, &delivery)).await.expect("the broker takes a copy");
            copies.fetch_add(1, Ordering::Relaxed);
        }
        delivery.settle(Disposition::Ack).await;
    }
}

fn again(exchange: &str, delivery: &Delivery) -> Outgoing {
    Outgoing {
        exchange: exchange.into(),
        routing_key: delivery.routing_key.clone(),
        body: delivery.body.clone(),
        message_id: delivery.message_id.clone(),
        correlation_id: None,
        durable: true,
        delay: Duration::ZERO,
        traceparent: None,
    }
}
