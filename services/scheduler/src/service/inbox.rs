//! The three queues, as one.

use broker::{Broker, ConnectError, Consumer, Delivery};
use contract::names::{SCHEDULER_EVENTS, SCHEDULER_JOBS, SCHEDULER_REQUESTS};
use futures::FutureExt;

/// Messages of one queue in a batch.
const MOST: usize = 256;
/// Messages that the broker may have on the way, so that the next batch is here when one is done.
const PREFETCH: u16 = 512;

/// Subscriptions to everything that is said to the scheduler.
pub(super) struct Inbox {
    events: Consumer,
    requests: Consumer,
    submissions: Consumer,
}

/// A batch, in the order in which it is handled: what has happened, then what is asked, then new work.
#[derive(Default)]
pub(super) struct Received {
    pub(super) events: Vec<Delivery>,
    pub(super) requests: Vec<Delivery>,
    pub(super) submissions: Vec<Delivery>,
}

impl Received {
    /// Whether there may be more reports and requests than were taken.
    pub(super) fn is_full(&self) -> bool {
        MOST <= self.events.len() || MOST <= self.requests.len()
    }
}

impl Inbox {
    pub(super) async fn open(broker: &Broker) -> Result<Self, ConnectError> {
        Ok(Self {
            events: broker.consume(SCHEDULER_EVENTS, PREFETCH).await?,
            requests: broker.consume(SCHEDULER_REQUESTS, PREFETCH).await?,
            submissions: broker.consume(SCHEDULER_JOBS, PREFETCH).await?,
        })
    }

    /// Waits for a message and takes what else is here; `None` once the broker is closed. Nothing is lost when this is
    /// dropped while it waits.
    pub(super) async fn wait(&mut self) -> Option<Received> {
        let mut received = Received::default();
        tokio::select! {
            batch = self.events.next_batch(MOST) => received.events = batch,
            batch = self.requests.next_batch(MOST) => received.requests = batch,
            batch = self.submissions.next_batch(MOST) => received.submissions = batch,
        }
        if received.events.is_empty() && received.requests.is_empty() && received.submissions.is_empty() {
            return None;
        }
        self.top_up(&mut received);
        Some(received)
    }

    /// Takes what is here.
    pub(super) fn take(&mut self) -> Received {
        let mut received = Received::default();
        self.top_up(&mut received);
        received
    }

    fn top_up(&mut self, received: &mut Received) {
        top_up(&mut self.events, &mut received.events);
        top_up(&mut self.requests, &mut received.requests);
        top_up(&mut self.submissions, &mut received.submissions);
    }

    /// Gives back what was not taken.
    pub(super) async fn close(self) {
        tokio::join!(self.events.cancel(), self.requests.cancel(), self.submissions.cancel());
    }
}

fn top_up(consumer: &mut Consumer, batch: &mut Vec<Delivery>) {
    if batch.len() < MOST
        && let Some(more) = consumer.next_batch(MOST - batch.len()).now_or_never()
    {
        batch.extend(more);
    }
}
