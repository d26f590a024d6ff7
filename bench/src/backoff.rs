//! How late a wait is that the broker carries, beside what the formula says, with few and with many others waiting.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use broker::{Broker, Consumer, Disposition, Outgoing};
use contract::{JobId, lease::OfferAttempt, names::WORK_EXCHANGE};
use system_tests::System;

use crate::{
    figures::{Times, milliseconds},
    report::Table,
};

const QUEUE: &str = "work.step.cpu.on-demand";
/// Waits that are looked at one by one, and how often each.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_millis(2_500), Duration::from_secs(10)];
const SAMPLES: usize = 100;
/// Those that wait at once, and between which waits they are spread.
const PENDING: usize = 50_000;
const FROM: Duration = Duration::from_secs(90);
const SPREAD: Duration = Duration::from_secs(90);
/// Messages that are published in one window, and how often: as fast as the scheduler ends attempts at its best.
const WINDOW: usize = 500;
const EVERY: Duration = Duration::from_millis(500);
/// How long nothing may come before it counts as lost.
const LOST: Duration = Duration::from_secs(300);

pub(crate) async fn measure() -> anyhow::Result<Table> {
    let columns = ["waiting besides", "by the formula", "late: median", "p95", "most", "promised"];
    let mut table = Table::new(&columns);
    let mut system = System::bare("bench-backoff", &[]).await;
    system.broker.ensure_work_queue(QUEUE).await?;
    let mut consumer = system.broker.consume(QUEUE, 1_000).await?;

    let mut alone = Waiting::default();
    alone.sample(&system.broker).await?;
    rows(&mut table, "nobody", &alone.collect(&mut consumer).await?);

    let mut crowd = Waiting::default();
    crowd.fill(&system.broker).await?;
    crowd.sample(&system.broker).await?;
    let late = crowd.collect(&mut consumer).await?;
    let (theirs, sampled) = late.split_at(PENDING);
    rows(&mut table, &PENDING.to_string(), sampled);
    let span = format!("{} to {} s", FROM.as_secs(), (FROM + SPREAD).as_secs());
    row(&mut table, "each other", &span, theirs, FROM);
    system.shut_down().await;
    Ok(table)
}

/// What was published, by its number.
#[derive(Default)]
struct Waiting(Vec<Published>);

struct Published {
    at: Instant,
    wait: Duration,
}

impl Waiting {
    /// Publishes a crowd whose waits are as different as jitter makes them.
    async fn fill(&mut self, broker: &Broker) -> anyhow::Result<()> {
        let mut windows = tokio::time::interval(EVERY);
        for first in (0..PENDING).step_by(WINDOW) {
            windows.tick().await;
            let waits = (first..PENDING.min(first + WINDOW))
                .map(|number| FROM + SPREAD.mul_f64((number * 7_919 % PENDING) as f64 / PENDING as f64));
            self.publish(broker, waits.collect()).await?;
        }
        Ok(())
    }

    /// Publishes the waits that are looked at, each message by itself.
    async fn sample(&mut self, broker: &Broker) -> anyhow::Result<()> {
        for number in 0..WAITS.len() * SAMPLES {
            self.publish(broker, vec![WAITS[number / SAMPLES]]).await?;
        }
        Ok(())
    }

    async fn publish(&mut self, broker: &Broker, waits: Vec<Duration>) -> anyhow::Result<()> {
        let at = Instant::now();
        let first = self.0.len();
        let messages = waits.iter().enumerate().map(|(number, wait)| message(first + number).after(*wait));
        let published = broker.publish_all(messages.collect()).await;
        self.0.extend(waits.into_iter().map(|wait| Published { at, wait }));
        published.into_iter().try_for_each(|published| Ok(published?))
    }

    /// Takes all of them out, and says by number how long each waited, and should have.
    async fn collect(&self, consumer: &mut Consumer) -> anyhow::Result<Vec<Late>> {
        let mut late: Vec<Option<Late>> = self.0.iter().map(|_| None).collect();
        let mut missing = late.len();
        while 0 < missing {
            let batch = tokio::time::timeout(LOST, consumer.next_batch(1_000)).await;
            let batch = batch.with_context(|| format!("{missing} messages were lost"))?;
            ensure!(!batch.is_empty(), "the broker went away");
            for delivery in batch {
                let number = delivery.decode::<OfferAttempt>()?.attempt as usize;
                let Published { at, wait } = self.0[number];
                ensure!(late[number].is_none(), "message {number} came twice");
                late[number] = Some(Late { wait, by: at.elapsed().saturating_sub(wait) });
                missing -= 1;
                delivery.settle(Disposition::Ack).await;
            }
        }
        Ok(late.into_iter().flatten().collect())
    }
}

/// How late a message came.
struct Late {
    wait: Duration,
    by: Duration,
}

fn rows(table: &mut Table, besides: &str, late: &[Late]) {
    for of_one_wait in late.chunks(SAMPLES) {
        let wait = of_one_wait.first().map(|late| late.wait).unwrap_or_default();
        row(table, besides, &format!("{} s", wait.as_secs_f64()), of_one_wait, wait);
    }
}

fn row(table: &mut Table, besides: &str, formula: &str, late: &[Late], wait: Duration) {
    let times = Times::new(late.iter().map(|late| late.by).collect());
    let shown = |percent| {
        let by = times.percentile(percent);
        format!("{} ({:.1} %)", milliseconds(by), by.as_secs_f64() / wait.as_secs_f64() * 100.0)
    };
    // 5 % or 50 ms, whichever is more.
    let promised = Duration::from_millis(50).max(wait / 20);
    table.row(&[&besides, &formula, &shown(50), &shown(95), &shown(100), &milliseconds(promised)]);
}

fn message(number: usize) -> Outgoing {
    let job_id = JobId::new("bench").expect("a name");
    let attempt = u32::try_from(number).expect("there are not that many");
    Outgoing::new(WORK_EXCHANGE, QUEUE, &OfferAttempt { job_id, attempt })
}
