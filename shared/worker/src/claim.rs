//! Claiming an offer: the right to run it, or what becomes of its message.

use std::time::Duration;

use broker::{Delivery, Disposition, RequestError};
use contract::{
    Refusal,
    lease::{Claim, ClaimAnswer, Grant, OfferAttempt},
};
use tokio::time::{Instant, timeout_at};
use tracing::Span;

use crate::{backoff::Backoff, worker::Worker};

/// How long one question waits for its answer where the lease is long.
const ANSWER: Duration = Duration::from_secs(5);
/// How long an offer is held while nobody answers. RabbitMQ takes a message back after 30 minutes by itself, and the
/// whole channel with it.
const HELD: Duration = Duration::from_secs(25 * 60);

/// What became of an offer.
pub(crate) enum Claimed {
    /// This worker holds the lease.
    Granted(Box<Grant>),
    /// There is nothing to run here.
    Settle(Disposition),
}

/// Asks the scheduler for the right to run what `delivery` offers, until it answers. The offer is never acknowledged
/// before that: if this process dies, the next one has to find it. Notes in the present span whose attempt it is.
///
/// The answer may be lost after the lease was granted, so each question waits for at most `patience`, which is shorter
/// than a lease: the next one finds it still granted.
pub(crate) async fn claim(worker: &Worker, delivery: &Delivery, patience: Duration) -> Claimed {
    let offer: OfferAttempt = match delivery.decode() {
        Ok(offer) => offer,
        Err(error) => {
            let reason = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(reason, "an offer cannot be read");
            return Claimed::Settle(Disposition::Reject(reason));
        }
    };
    let span = Span::current();
    span.record("job.id", tracing::field::display(&offer.job_id));
    span.record("job.attempt", offer.attempt);
    let claim = Claim {
        job_id: offer.job_id,
        attempt: offer.attempt,
        redelivered: delivery.redelivered,
        worker: worker.hello.worker.clone(),
        incarnation: worker.hello.incarnation,
    };
    let answer =
        worker.drain.run_until_cancelled(timeout_at(Instant::now() + HELD, ask(worker, &claim, patience)));
    match answer.await {
        Some(Ok(claimed)) => claimed,
        // Another worker, or another time.
        Some(Err(_)) | None => Claimed::Settle(Disposition::Requeue),
    }
}

async fn ask(worker: &Worker, claim: &Claim, patience: Duration) -> Claimed {
    let mut backoff = Backoff::new();
    loop {
        let asked_at = Instant::now();
        let mut result = worker.broker.request(claim, patience.min(ANSWER)).await;
        if let Ok(ClaimAnswer::Granted(grant)) = &mut result {
            count_from_question(grant, asked_at.elapsed());
        }
        match &result {
            Ok(ClaimAnswer::Granted(_)) => tracing::info!("granted"),
            Ok(ClaimAnswer::Refused { why, draining }) => {
                tracing::info!(why, "not granted");
                if *draining {
                    worker.rest(true);
                }
            }
            Err(_) => {}
        }
        match read(result) {
            Answer::Claimed(claimed) => return claimed,
            Answer::None(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the claim is not answered; asking again"
                );
                backoff.wait().await;
            }
        }
    }
}

/// Takes the time that the answer took off the run's limit: the attempt costs from its grant on, which lies between
/// question and answer.
fn count_from_question(grant: &mut Grant, took: Duration) {
    grant.run_limit = grant.run_limit.to_duration().saturating_sub(took).into();
}

enum Answer {
    Claimed(Claimed),
    None(RequestError),
}

fn read(result: Result<ClaimAnswer, RequestError>) -> Answer {
    match result {
        Ok(ClaimAnswer::Granted(grant)) => Answer::Claimed(Claimed::Granted(Box::new(grant))),
        Ok(ClaimAnswer::Refused { .. }) => Answer::Claimed(Claimed::Settle(Disposition::Ack)),
        Err(RequestError::Refused(refused)) if refused.reason != Refusal::Unavailable => {
            tracing::warn!(why = refused.message, "the claim is refused");
            Answer::Claimed(Claimed::Settle(Disposition::Reject(refused.message)))
        }
        Err(error) => Answer::None(error),
    }
}

#[cfg(test)]
mod tests {
    use contract::Refused;

    use super::*;

    fn settled(result: Result<ClaimAnswer, RequestError>) -> Option<Disposition> {
        match read(result) {
            Answer::Claimed(Claimed::Settle(disposition)) => Some(disposition),
            Answer::Claimed(Claimed::Granted(_)) => panic!("nothing was granted"),
            Answer::None(_) => None,
        }
    }

    #[test]
    fn an_offer_leaves_the_queue_only_by_an_answer() {
        let refused = Ok(ClaimAnswer::Refused { why: "cancelled".into(), draining: false });
        assert_eq!(settled(refused), Some(Disposition::Ack));

        let invalid = Err(Refused::new(Refusal::Invalid, "no such worker").into());
        assert_eq!(settled(invalid), Some(Disposition::Reject("no such worker".into())));

        let unavailable = Err(Refused::new(Refusal::Unavailable, "the database is locked").into());
        assert_eq!(settled(unavailable), None);
        let silence = RequestError::TimedOut { kind: "attempt.claim", service: "scheduler", seconds: 5.0 };
        assert_eq!(settled(Err(silence)), None);
    }
}
