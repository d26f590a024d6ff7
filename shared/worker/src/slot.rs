//! One slot: takes an offer, claims it, runs it, and takes the next.
//!
//! Each slot has a subscription of its own with a prefetch of one, so a message waits here only while the slot is
//! free to run it. A run that ends quickly is over before its offer is acknowledged, and the subscription just goes
//! on; a longer one gives the subscription up first, because the acknowledgement would bring an offer that could not
//! be run.

use std::{pin::Pin, sync::Arc, time::Duration};

use broker::{ConnectError, Consumer, Delivery, Disposition, Settled};
use tokio::time::timeout;
use tracing::{Instrument, Span, field};

use crate::{
    attempt::Attempt,
    claim::{Claimed, claim},
    worker::Worker,
};

/// A run that takes longer gives the subscription up. Short against RabbitMQ's limit of 30 minutes for a message in
/// hand, long against a round trip.
const SHORT_RUN: Duration = Duration::from_millis(200);

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves until the worker goes. A claim that is not answered within `patience` is made again.
///
/// # Errors
/// When the queue cannot be subscribed to.
pub(crate) async fn serve(worker: Arc<Worker>, patience: Duration) -> Result<(), ConnectError> {
    while may_take(&worker).await {
        let subscribed = worker.drain.run_until_cancelled(worker.broker.consume(&worker.queue, 1)).await;
        let Some(subscribed) = subscribed else { return Ok(()) };
        let mut consumer = subscribed?;
        match run_until_long(&worker, &mut consumer, patience).await {
            Turn::Long(offer, run) => {
                let hand_back = async {
                    consumer.cancel().await;
                    offer.acknowledge().await;
                };
                tokio::join!(run, hand_back);
            }
            Turn::Rest => consumer.cancel().await,
            Turn::GpuHeld(delivery) => {
                consumer.cancel().await;
                delivery.settle(Disposition::Requeue).await;
            }
            Turn::Over => {
                consumer.cancel().await;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Waits until the worker is to take offers, and can; `false` when it goes.
async fn may_take(worker: &Worker) -> bool {
    worker.drain.run_until_cancelled(worker.rests(false)).await.is_some()
        && worker.wait_for_gpu().await.is_some()
}

/// Why a subscription is given up.
enum Turn {
    /// A run turned out long; its offer is still unacknowledged.
    Long(Box<Offer>, Running),
    /// The worker is to take nothing new for now.
    Rest,
    /// Others hold the GPU's memory, so what is offered here must be somebody else's.
    GpuHeld(Box<Delivery>),
    /// The worker goes.
    Over,
}

/// Takes offers and runs them until the subscription has to be given up.
async fn run_until_long(worker: &Arc<Worker>, consumer: &mut Consumer, patience: Duration) -> Turn {
    loop {
        let delivery = tokio::select! {
            biased;
            () = worker.drain.cancelled() => return Turn::Over,
            () = worker.rests(true) => return Turn::Rest,
            delivery = consumer.next() => delivery,
        };
        let Some(delivery) = delivery else { return Turn::Over };
        if !worker.is_gpu_free().await {
            return Turn::GpuHeld(Box::new(delivery));
        }
        let claim_span = claim_span(worker, &delivery);
        let grant = match claim(worker, &delivery, patience).instrument(claim_span.clone()).await {
            Claimed::Granted(grant) => grant,
            Claimed::Settle(disposition) => {
                delivery.settle(disposition).await;
                continue;
            }
        };
        let offer = Offer { delivery, claim_span };
        let Some(attempt) = Attempt::begin(worker.clone(), *grant, offer.delivery.traceparent.clone()) else {
            offer.claim_span.in_scope(|| {
                tracing::info!("an offer came again for what this worker runs or has run");
            });
            offer.acknowledge().await;
            continue;
        };
        let span = attempt.span();
        let mut run: Running = Box::pin(attempt.run().instrument(span));
        match timeout(SHORT_RUN, &mut run).await {
            Ok(()) => offer.acknowledge().await,
            Err(_) => return Turn::Long(Box::new(offer), run),
        }
    }
}

/// An offer that was granted and is still to be acknowledged.
struct Offer {
    delivery: Delivery,
    claim_span: Span,
}

impl Offer {
    async fn acknowledge(self) {
        if self.delivery.settle(Disposition::Ack).await == Settled::Stale {
            // The offer comes again to somebody, whose claim the scheduler judges by the lease.
            self.claim_span.in_scope(|| {
                tracing::warn!("the line broke before an offer was acknowledged; it will be delivered again");
            });
        }
    }
}

/// The span of a claim, as part of the offer's trace. Whose attempt it is stands in the offer.
fn claim_span(worker: &Worker, delivery: &Delivery) -> Span {
    let id = &worker.hello.worker;
    let span =
        tracing::info_span!("claim", job.id = field::Empty, job.attempt = field::Empty, worker.id = %id);
    if let Some(traceparent) = &delivery.traceparent {
        telemetry::set_parent(&span, traceparent);
    }
    span
}
