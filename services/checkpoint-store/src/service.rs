//! The loop: requests side by side, the sweep beside them, and an orderly end.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::bail;
use broker::{Broker, Consumer, Delivery};
use checkpoints::{History, ObjectStore};
use contract::{JobId, names::CHECKPOINT_REQUESTS};
use settings::CheckpointSettings;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::meters::Meters;

/// How many requests are answered at once. Each reads a checkpoint, so more would only share the same disk.
const AT_ONCE: usize = 8;
/// How long requests that are being answered may take once the service is told to stop; who asked asks again.
const DRAIN: Duration = Duration::from_secs(10);

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) store: ObjectStore,
    pub(crate) broker: Broker,
    pub(crate) keep_last: u32,
    pub(crate) sweep_after: Duration,
    pub(crate) meters: Meters,
    /// Damage that has been logged, so that it is logged once.
    known_damage: Mutex<HashSet<String>>,
}

impl Service {
    pub(crate) fn new(store: ObjectStore, broker: Broker, settings: &CheckpointSettings) -> Arc<Self> {
        Arc::new(Self {
            store,
            broker,
            keep_last: settings.keep_last,
            sweep_after: settings.sweep_after.to_duration(),
            meters: Meters::new(),
            known_damage: Mutex::default(),
        })
    }

    /// Answers and sweeps until `stop`.
    pub(crate) async fn serve(self: Arc<Self>, stop: &CancellationToken) -> anyhow::Result<()> {
        let requests = self.broker.consume(CHECKPOINT_REQUESTS, AT_ONCE as u16).await?;
        let over = stop.child_token();
        let answered = async {
            let answered = self.answer_requests(requests, stop).await;
            over.cancel();
            answered
        };
        let (answered, ()) = tokio::join!(answered, self.sweep_regularly(&over));
        answered
    }

    pub(crate) fn history(&self, job: &JobId) -> History {
        History::of(self.store.clone(), job.clone())
    }

    /// Logs damage that was found, the first time.
    pub(crate) fn log_damage(&self, job: &JobId, damaged: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut known = self.known_damage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for damage in damaged {
            if known.insert(format!("{job} {}", damage.as_ref())) {
                error!(job.id = %job, damage = damage.as_ref(), "a checkpoint is damaged and is passed over");
            }
        }
    }

    async fn answer_requests(
        self: &Arc<Self>,
        mut requests: Consumer,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = answering.join_next() => log_panic(ended),
                request = requests.next(), if answering.len() < AT_ONCE => {
                    let Some(request) = request else { bail!("the line to the broker was closed") };
                    answering.spawn(self.clone().take(request));
                }
            }
        }
        requests.cancel().await;
        let drained = timeout(DRAIN, async {
            while let Some(ended) = answering.join_next().await {
                log_panic(ended);
            }
        });
        if drained.await.is_err() {
            warn!(requests = answering.len(), "stopped in the middle of requests; who asked asks again");
        }
        Ok(())
    }

    /// Owned, so that it can run beside others.
    async fn take(self: Arc<Self>, request: Delivery) {
        self.answer(request).await;
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "answering a request failed; who asked asks again");
    }
}
