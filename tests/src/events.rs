//! Everything that was told on `rekindle.events` since a system began.

use std::sync::{Arc, Mutex};

use broker::Broker;
use contract::{Message, decode, kind_of};
use rand::{rngs::StdRng, seq::IteratorRandom};
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use crate::wait::wait_for;

/// A record that grows while the test runs.
#[derive(Debug)]
pub struct Events {
    record: Arc<Mutex<Vec<Told>>>,
    count: watch::Receiver<usize>,
    _listener: JoinSet<()>,
}

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// What kind it is.
    pub(crate) kind: String,
    /// The message.
    pub(crate) body: Vec<u8>,
}

impl Told {
    /// The key under which it was told: `attempt.JOB.ended`.
    fn routing_key(&self) -> Option<String> {
        let message: Value = serde_json::from_slice(&self.body).ok()?;
        let (subject, event) = self.kind.split_once('.')?;
        Some(format!("{subject}.{}.{event}", message["job_id"].as_str()?))
    }
}

impl Events {
    /// Listens from now on.
    pub(crate) async fn listen(broker: &Broker) -> Self {
        let mut consumer = broker.listen(&["#"]).await.expect("events can be listened to");
        let record: Arc<Mutex<Vec<Told>>> = Arc::default();
        let (counted, count) = watch::channel(0);
        let mut listener = JoinSet::new();
        let written = record.clone();
        listener.spawn(async move {
            while let Some(delivery) = consumer.next().await {
                let Ok(kind) = kind_of(&delivery.body) else { continue };
                let mut record = written.lock().expect("nothing panics while it holds the record");
                record.push(Told { kind, body: delivery.body });
                counted.send_replace(record.len());
            }
        });
        Self { record, count, _listener: listener }
    }

    /// All events of one kind so far.
    pub fn all<M: Message>(&self) -> Vec<M> {
        let record = self.record.lock().expect("nothing panics while it holds the record");
        let told = record.iter().filter(|told| told.kind == M::KIND);
        told.map(|told| decode(&told.body).expect("events are well-formed")).collect()
    }

    /// The first event of its kind for which `is_it` holds, now or later.
    pub async fn first<M: Message>(&self, is_it: impl Fn(&M) -> bool) -> M {
        wait_for(M::KIND, async || self.all::<M>().into_iter().find(&is_it)).await
    }

    /// Some of the events so far whose kind begins with `prefix`: each one's routing key and body.
    pub(crate) fn sample(&self, prefix: &str, count: usize, random: &mut StdRng) -> Vec<(String, Vec<u8>)> {
        let record = self.record.lock().expect("nothing panics while it holds the record");
        let told = record.iter().filter(|told| told.kind.starts_with(prefix));
        let chosen = told.sample(random, count);
        chosen.into_iter().filter_map(|told| Some((told.routing_key()?, told.body.clone()))).collect()
    }

    /// Waits for one more event than `seen`, and says how many there are then.
    pub async fn more_than(&mut self, seen: usize) -> usize {
        *self.count.wait_for(|count| seen < *count).await.expect("the listener lives as long as this")
    }
}
