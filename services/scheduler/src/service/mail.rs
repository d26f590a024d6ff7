//! The way out: letters of the outbox, which are sent until the broker has them, and answers, which are sent once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use broker::{Broker, Outgoing, PublishError};
use contract::{Timestamp, names::WORK_EXCHANGE};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, error, warn};

use crate::store::Letter;

/// Batches that may wait to be sent; then the loop waits too.
const BATCHES: usize = 64;
/// The same for offers to one queue. The loop does not wait for these, of which there is at most one for each job that is
/// alive.
const OFFERS: usize = 1 << 24;
/// Messages that are sent in one go.
const WINDOW: usize = 1024;
/// How long to wait before a message that the broker did not take is sent again.
const RETRY: Duration = Duration::from_secs(1);
/// How long the last messages may take when the service stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Senders for letters and one for answers, so that an answer never waits behind letters.
pub(super) struct Mail {
    broker: Broker,
    letters: mpsc::Sender<Vec<Letter>>,
    replies: mpsc::Sender<Vec<Outgoing>>,
    confirmed: Confirmed,
    senders: JoinSet<()>,
    next_id: i64,
}

/// Letters that the broker has, and that may leave the outbox.
type Confirmed = Arc<Mutex<Vec<i64>>>;

impl Mail {
    /// Starts both, with what an earlier scheduler left unsent.
    pub(super) async fn start(broker: Broker, unsent: Vec<Letter>) -> Self {
        let (letters, inbox) = mpsc::channel(BATCHES);
        let (replies, answers) = mpsc::channel(BATCHES);
        let confirmed = Confirmed::default();
        let mut senders = JoinSet::new();
        senders.spawn(send_letters(broker.clone(), inbox, confirmed.clone()));
        senders.spawn(send_replies(broker.clone(), answers));
        let next_id = unsent.last().map_or(1, |letter| letter.id + 1);
        let mail = Self { broker, letters, replies, confirmed, senders, next_id };
        mail.send(unsent).await;
        mail
    }

    /// Makes a letter to be written to the outbox and sent after that.
    pub(super) fn letter(&mut self, outgoing: Outgoing, due: Timestamp) -> Letter {
        let id = self.next_id;
        self.next_id += 1;
        let Outgoing { exchange, routing_key, body, message_id, traceparent, .. } = outgoing;
        Letter { id, exchange, routing_key, body, message_id, traceparent, due }
    }

    /// Sends letters that are on disk.
    pub(super) async fn send(&self, letters: Vec<Letter>) {
        if !letters.is_empty() && self.letters.send(letters).await.is_err() {
            warn!("the outbox is closed; its letters are sent by the next scheduler");
        }
    }

    /// Sends answers.
    pub(super) async fn reply(&self, replies: Vec<Outgoing>) {
        if !replies.is_empty() && self.replies.send(replies).await.is_err() {
            warn!("answers are no longer sent; who asked asks again");
        }
    }

    /// The letters that have reached the broker since the last call.
    pub(super) fn take_confirmed(&self) -> Vec<i64> {
        mem::take(&mut self.confirmed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends what is left, for a few seconds; returns the letters that have reached the broker.
    pub(super) async fn close(self) -> Vec<i64> {
        let Self { broker, letters, replies, confirmed, mut senders, .. } = self;
        drop((letters, replies));
        if timeout(FAREWELL, senders_end(&mut senders)).await.is_err() {
            // What waits for confirms fails, and is sent again by the next scheduler.
            broker.close().await;
            senders_end(&mut senders).await;
        }
        mem::take(&mut confirmed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn senders_end(senders: &mut JoinSet<()>) {
    while let Some(ended) = senders.join_next().await {
        if let Err(panic) = ended {
            error!(error = &panic as &dyn std::error::Error, "a sender has failed");
        }
    }
}

async fn send_replies(broker: Broker, mut answers: mpsc::Receiver<Vec<Outgoing>>) {
    while let Some(batch) = next(&mut answers).await {
        for result in broker.publish_all(batch).await {
            if let Err(error) = result {
                warn!(error = &error as &dyn std::error::Error, "an answer was not sent");
            }
        }
    }
}

/// Sorts letters by the work queue that they are for, and sends those for each, and all others, by themselves: a queue that
/// takes nothing holds up no other.
async fn send_letters(broker: Broker, mut inbox: mpsc::Receiver<Vec<Letter>>, confirmed: Confirmed) {
    let mut ways: HashMap<Option<String>, mpsc::Sender<Vec<Letter>>> = HashMap::new();
    let mut senders = JoinSet::new();
    while let Some(letters) = inbox.recv().await {
        let mut sorted: BTreeMap<Option<String>, Vec<Letter>> = BTreeMap::new();
        for letter in letters {
            sorted.entry(letter.work_queue().map(ToOwned::to_owned)).or_default().push(letter);
        }
        for (way, letters) in sorted {
            let batches = if way.is_some() { OFFERS } else { BATCHES };
            let sender = ways.entry(way).or_insert_with(|| {
                let (sender, inbox) = mpsc::channel(batches);
                senders.spawn(send_one_way(broker.clone(), inbox, confirmed.clone()));
                sender
            });
            if sender.send(letters).await.is_err() {
                debug!("the line to the broker is closed; letters stay in the outbox");
            }
        }
    }
    drop(ways);
    senders_end(&mut senders).await;
}

async fn send_one_way(broker: Broker, mut inbox: mpsc::Receiver<Vec<Letter>>, confirmed: Confirmed) {
    let mut queues = HashSet::new();
    while let Some(mut batch) = next(&mut inbox).await {
        while !batch.is_empty() {
            ensure_queues(&broker, &batch, &mut queues).await;
            let now = Timestamp::now();
            let outgoing = batch.iter().map(|letter| outgoing(letter, now)).collect();
            let mut again = Vec::new();
            for (letter, result) in batch.into_iter().zip(broker.publish_all(outgoing).await) {
                match result {
                    Ok(()) => {}
                    Err(PublishError::Closed) => return,
                    Err(error @ (PublishError::TooLarge { .. } | PublishError::NotSendable { .. })) => {
                        error!(
                            error = &error as &dyn std::error::Error,
                            letter.id, "a message can never be sent"
                        );
                    }
                    Err(error) => {
                        warn!(error = &error as &dyn std::error::Error, letter.id, "a message is sent again");
                        again.push(letter);
                        continue;
                    }
                }
                confirmed.lock().unwrap_or_else(PoisonError::into_inner).push(letter.id);
            }
            batch = again;
            if !batch.is_empty() {
                sleep(RETRY).await;
            }
        }
    }
}

/// Declares the queues of attempts before anything is sent to them: a worker that is new says hello before its queue
/// is there.
async fn ensure_queues(broker: &Broker, letters: &[Letter], known: &mut HashSet<String>) {
    for queue in letters.iter().filter_map(Letter::work_queue) {
        if !known.contains(queue) {
            match broker.ensure_work_queue(queue).await {
                Ok(()) => {
                    known.insert(queue.into());
                }
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, queue, "cannot declare");
                }
            }
        }
    }
}

impl Letter {
    /// The work queue that it is for.
    fn work_queue(&self) -> Option<&str> {
        (self.exchange == WORK_EXCHANGE).then_some(self.routing_key.as_str())
    }
}

fn outgoing(letter: &Letter, now: Timestamp) -> Outgoing {
    let Letter { exchange, routing_key, body, message_id, traceparent, due, .. } = letter.clone();
    Outgoing {
        exchange,
        routing_key,
        body,
        message_id,
        correlation_id: None,
        durable: true,
        delay: due.since(now),
        traceparent,
    }
}

/// Waits for a batch and takes what else is there, up to a window.
async fn next<T>(receiver: &mut mpsc::Receiver<Vec<T>>) -> Option<Vec<T>> {
    let mut batch = receiver.recv().await?;
    while batch.len() < WINDOW
        && let Ok(more) = receiver.try_recv()
    {
        batch.extend(more);
    }
    Some(batch)
}
