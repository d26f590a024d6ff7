//! What a run tells the world, in its order, from any thread.

use broker::{Broker, Outgoing, PublishError};
use contract::{
    MAX_MESSAGE_BYTES, Timestamp,
    events::{AttemptNote, Event},
};
use tokio::sync::mpsc;

use crate::{backoff::Backoff, outcome::shorten, run_state::RunState};

/// How many events may wait while the broker is away; later ones are left out. Metrics are also kept in a file.
const MOST_WAITING: usize = 1024;
/// How many events are published at once.
const BATCH: usize = 64;

enum Told {
    Event(Outgoing),
    Last(Outgoing),
}

/// The speaking end. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Teller(mpsc::Sender<Told>);

/// The publishing end.
pub(crate) struct Telling(mpsc::Receiver<Told>);

/// A run's voice and the one who carries it.
pub(crate) fn channel() -> (Teller, Telling) {
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    (Teller(sender), Telling(receiver))
}

impl Teller {
    /// Tells an event; at once, from any thread.
    pub(crate) fn tell<E: Event>(&self, event: &E) {
        let outgoing = Outgoing::event(event);
        if MAX_MESSAGE_BYTES < outgoing.body.len() {
            tracing::warn!(
                kind = E::KIND,
                bytes = outgoing.body.len(),
                "an event is too large and is left out"
            );
        } else if let Err(mpsc::error::TrySendError::Full(_)) = self.0.try_send(Told::Event(outgoing)) {
            tracing::warn!(
                kind = E::KIND,
                "the broker is away and too many events wait; this one is left out"
            );
        }
    }

    /// Tells a line for people.
    pub(crate) fn note(&self, run: &RunState, note: String) {
        let (job_id, attempt) = (run.job_id.clone(), run.attempt);
        self.tell(&AttemptNote { job_id, attempt, note: shorten(note), at: Timestamp::now() });
    }

    /// Tells the last event there will be.
    pub(crate) async fn tell_last<E: Event>(&self, event: &E) {
        // It fails only when the publishing was given up.
        let _ = self.0.send(Told::Last(Outgoing::event(event))).await;
    }
}

impl Telling {
    /// Publishes until the last event is confirmed.
    pub(crate) async fn publish(mut self, broker: &Broker) {
        let mut told = Vec::with_capacity(BATCH);
        let mut ended = false;
        while !ended && 0 < self.0.recv_many(&mut told, BATCH).await {
            let mut batch = Vec::with_capacity(told.len());
            for told in told.drain(..) {
                match told {
                    Told::Event(event) if !ended => batch.push(event),
                    // A thread that was given up may still speak; nobody listens.
                    Told::Event(_) => {}
                    Told::Last(event) => {
                        batch.push(event);
                        ended = true;
                    }
                }
            }
            deliver(broker, batch).await;
        }
    }
}

/// Publishes until all is confirmed or the line is closed for good.
pub(crate) async fn deliver(broker: &Broker, mut batch: Vec<Outgoing>) {
    let mut backoff = Backoff::new();
    loop {
        let results = broker.publish_all(batch.clone()).await;
        let failed: Vec<_> =
            batch.into_iter().zip(results).filter_map(|(m, r)| Some((m, r.err()?))).collect();
        let Some((_, error)) = failed.first() else { return };
        tracing::warn!(
            error = error as &dyn std::error::Error,
            events = failed.len(),
            "events were not published"
        );
        if failed.iter().any(|(_, error)| matches!(error, PublishError::Closed)) {
            return;
        }
        batch = failed.into_iter().map(|(message, _)| message).collect();
        backoff.wait().await;
    }
}
