//! One slot: takes an offer, claims it, runs it, and takes the next.
//!
//! Each slot has a subscription of its own with a prefetch of one, so a message waits here only while the slot is
//! free to run it. A run that ends quickly is over before its offer is acknowledged, and the subscription just goes
//! on; a longer one gives the subscription up first, because the acknowledgement would bring an offer that could not
//! be run.

use std::{pin::Pin, sync::Arc, time::Duration};

use broker::{ConnectError, Consumer, Delivery, Disposition, Settled};
use tokio::time::timeout;
use tracing::{Instrument, Span};

use crate::{
    attempt::Attempt,
    claim::{Claimed, claim},
    worker::Worker,
};

/// A run that takes longer gives the subscription up. Short against RabbitMQ's limit of 30 minutes for a message in
/// hand, long against a round trip.
const SHORT_RUN: Duration = Duration::from_millis(200);

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves until the worker drains.
///
/// # Errors
/// When the queue cannot be subscribed to.
pub(crate) async fn serve(worker: Arc<Worker>) -> Result<(), ConnectError> {
    while let Some(subscribed) =
        worker.drain.run_until_cancelled(worker.broker.consume(&worker.queue, 1)).await
    {
        let mut consumer = subscribed?;
        match run_until_long(&worker, &mut consumer).await {
            Some((delivery, run)) => {
                let hand_back = async {
                    consumer.cancel().await;
                    acknowledge(delivery).await;
                };
                tokio::join!(run, hand_back);
            }
            None => {
                consumer.cancel().await;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Takes offers and runs them until one turns out long, with its offer still unacknowledged; `None` when the worker
/// drains.
async fn run_until_long(worker: &Arc<Worker>, consumer: &mut Consumer) -> Option<(Delivery, Running)> {
    loop {
        let delivery = worker.drain.run_until_cancelled(consumer.next()).await??;
        let claim_span = in_trace_of(&delivery, tracing::info_span!("claim"));
        let grant = match claim(worker, &delivery).instrument(claim_span).await {
            Claimed::Granted(grant) => grant,
            Claimed::Settle(disposition) => {
                delivery.settle(disposition).await;
                continue;
            }
        };
        let Some(attempt) = Attempt::begin(worker.clone(), *grant) else {
            tracing::info!("an offer came again for what this worker runs or has run");
            acknowledge(delivery).await;
            continue;
        };
        let span = in_trace_of(&delivery, attempt.span());
        let mut run: Running = Box::pin(attempt.run().instrument(span));
        match timeout(SHORT_RUN, &mut run).await {
            Ok(()) => acknowledge(delivery).await,
            Err(_) => return Some((delivery, run)),
        }
    }
}

/// Makes the span part of the trace of whoever offered the attempt.
fn in_trace_of(delivery: &Delivery, span: Span) -> Span {
    if let Some(traceparent) = &delivery.traceparent {
        telemetry::set_parent(&span, traceparent);
    }
    span
}

async fn acknowledge(delivery: Delivery) {
    if delivery.settle(Disposition::Ack).await == Settled::Stale {
        // The offer comes again to somebody, whose claim the scheduler judges by the lease.
        tracing::warn!("the line broke before an offer was acknowledged; it will be delivered again");
    }
}
