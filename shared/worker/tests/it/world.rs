//! One test's broker, folder, counterpart and workers.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use broker::{Broker, BrokerOptions, Outgoing};
use checkpoints::{History, ObjectStore};
use contract::{
    JobId, Message,
    checkpoints::ListedCheckpoint,
    events::{AttemptEnd, AttemptEnded},
    lease::OfferAttempt,
    names,
};
use local_broker::testing::{TestVhost, eventually};
use settings::Settings;
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use worker::{Exit, Trainer};

use crate::counterpart::{Counterpart, Script, generous_grant};

/// The queue of the workers of these tests.
pub(crate) const QUEUE: &str = "work.classifier.cpu.on-demand";

pub(crate) struct World {
    pub(crate) vhost: TestVhost,
    pub(crate) broker: Broker,
    pub(crate) store: ObjectStore,
    pub(crate) counterpart: Counterpart,
    folder: TempDir,
    events: Arc<Mutex<Vec<Heard>>>,
    _playing: JoinSet<()>,
}

/// An event that was told, unread.
struct Heard {
    kind: String,
    body: Vec<u8>,
}

/// A worker that runs beside the test.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    worker: JoinSet<anyhow::Result<Exit>>,
}

impl World {
    /// A world in which every claim is granted generously.
    pub(crate) async fn new() -> Self {
        Self::with(Script { grant: Some(generous_grant()), ..Script::default() }).await
    }

    pub(crate) async fn with(script: Script) -> Self {
        let vhost = TestVhost::create().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = BrokerOptions {
            url: vhost.amqp_url().into(),
            heartbeat: Duration::from_secs(10),
            name: "worker tests".into(),
        };
        let broker = Broker::connect(options, &CancellationToken::new()).await.unwrap();
        broker.ensure_work_queue(QUEUE).await.unwrap();
        let checkpoints = folder.path().join("data/checkpoints");
        let store = ObjectStore::open(checkpoints.to_str().unwrap(), &folder.path().join("scratch")).unwrap();

        let counterpart = Counterpart::new(broker.clone(), store.clone(), script);
        let mut playing = JoinSet::new();
        for queue in [names::SCHEDULER_REQUESTS, names::CHECKPOINT_REQUESTS] {
            let requests = broker.consume(queue, 64).await.unwrap();
            playing.spawn(counterpart.clone().answer(requests));
        }
        let events = Arc::new(Mutex::new(Vec::new()));
        let (heard, mut listener) = (events.clone(), broker.listen(&["attempt.#"]).await.unwrap());
        playing.spawn(async move {
            while let Some(event) = listener.next().await {
                let kind = contract::kind_of(&event.body).unwrap();
                heard.lock().unwrap().push(Heard { kind, body: event.body });
            }
        });
        Self { vhost, broker, store, counterpart, folder, events, _playing: playing }
    }

    /// Starts a worker at the broker's own address.
    pub(crate) fn start(&self, trainer: impl Trainer) -> Running {
        self.start_with(trainer, &[])
    }

    /// Starts a worker with settings of its own.
    pub(crate) fn start_with(&self, trainer: impl Trainer, variables: &[(&str, &str)]) -> Running {
        let settings = self.settings(variables);
        let stop = CancellationToken::new();
        let mut worker = JoinSet::new();
        worker.spawn(worker::run(settings, trainer, stop.clone()));
        Running { stop, worker }
    }

    /// Starts a worker on a machine with a GPU of which `probe` tells.
    pub(crate) fn start_on(&self, trainer: impl Trainer, probe: worker::Probe) -> Running {
        let settings = self.settings(&[]);
        let stop = CancellationToken::new();
        let mut worker = JoinSet::new();
        worker.spawn(worker::run_on(settings, trainer, Some(probe), stop.clone()));
        Running { stop, worker }
    }

    fn settings(&self, variables: &[(&str, &str)]) -> Settings {
        let file = self.folder.path().join("rekindle.toml");
        std::fs::write(&file, settings::BUILT_IN).unwrap();
        let mine = [("REKINDLE__BROKER__URL", self.vhost.amqp_url()), ("REKINDLE__WORKER__GPU", "cpu")];
        let variables = mine.iter().chain(variables).map(|(key, value)| (key.to_string(), value.to_string()));
        settings::load(&file, variables).unwrap()
    }

    /// A job's folder on the worker's machine.
    pub(crate) fn run_folder(&self, job: &JobId) -> PathBuf {
        self.folder.path().join("data/runs").join(job.as_str())
    }

    /// Offers an attempt.
    pub(crate) async fn offer(&self, job: &JobId, attempt: u32) {
        let offer = OfferAttempt { job_id: job.clone(), attempt };
        self.broker.publish(Outgoing::new(names::WORK_EXCHANGE, QUEUE, &offer)).await.unwrap();
    }

    /// Every event of a kind that was heard so far.
    pub(crate) fn events<M: Message>(&self) -> Vec<M> {
        let events = self.events.lock().unwrap();
        let of_kind = events.iter().filter(|heard| heard.kind == M::KIND);
        of_kind.map(|heard| contract::decode(&heard.body).unwrap()).collect()
    }

    /// How many events of a kind were heard so far.
    pub(crate) fn count<M: Message>(&self) -> usize {
        self.events.lock().unwrap().iter().filter(|heard| heard.kind == M::KIND).count()
    }

    /// Waits for an event that `fits`.
    pub(crate) async fn event<M: Message + Clone>(&self, fits: impl Fn(&M) -> bool) -> M {
        let mut found = None;
        eventually(M::KIND, async || {
            found = self.events::<M>().into_iter().find(|event| fits(event));
            found.is_some()
        })
        .await
        .unwrap();
        found.unwrap()
    }

    /// Waits for the end of an attempt.
    pub(crate) async fn ended(&self, job: &JobId, attempt: u32) -> AttemptEnded {
        self.event(|ended: &AttemptEnded| ended.job_id == *job && ended.attempt == attempt).await
    }

    /// Waits for the failure that ended an attempt.
    pub(crate) async fn failed(&self, job: &JobId, attempt: u32) -> contract::Failure {
        match self.ended(job, attempt).await.end {
            AttemptEnd::Failed(failure) => failure,
            other => panic!("the attempt should have failed: {other:?}"),
        }
    }

    /// A job's checkpoints, newest first.
    pub(crate) async fn checkpoints(&self, job: &JobId) -> Vec<ListedCheckpoint> {
        History::of(self.store.clone(), job.clone()).list(true).await.unwrap()
    }

    /// Waits until every offer has been acknowledged.
    pub(crate) async fn nothing_left_to_do(&self) {
        eventually("no offer is left", async || {
            let queues = self.vhost.management().queues(self.vhost.name()).await.unwrap();
            queues.iter().any(|queue| queue.name == QUEUE && queue.messages == 0)
        })
        .await
        .unwrap();
    }

    /// Waits until a heartbeat has told of a run that has finished steps.
    pub(crate) async fn steps_heard(&self) {
        self.heard("a report of steps", |script| {
            let mut runs = script.heartbeats.iter().flat_map(|heartbeat| &heartbeat.runs);
            runs.any(|run| 0 < run.progress.step)
        })
        .await;
    }

    /// Waits until no heartbeat has come for several of their intervals.
    pub(crate) async fn silence(&self) {
        let mut last = (usize::MAX, Instant::now());
        eventually("no heartbeat comes", async || {
            let count = self.counterpart.script().heartbeats.len();
            if count != last.0 {
                last = (count, Instant::now());
            }
            Duration::from_millis(500) < last.1.elapsed()
        })
        .await
        .unwrap();
    }

    /// Waits until what the other side has heard `fits`.
    pub(crate) async fn heard(&self, what: &str, fits: impl Fn(&Script) -> bool) {
        eventually(what, async || fits(&self.counterpart.script())).await.unwrap();
    }
}

impl Running {
    /// Waits until the worker has gone by itself.
    pub(crate) async fn gone(self) -> Exit {
        self.outcome().await.unwrap()
    }

    /// Waits until the worker has gone with an error.
    pub(crate) async fn failed(self) -> anyhow::Error {
        self.outcome().await.unwrap_err()
    }

    async fn outcome(mut self) -> anyhow::Result<Exit> {
        let limit = Duration::from_secs(30);
        let gone = tokio::time::timeout(limit, self.worker.join_next()).await;
        gone.expect("the worker should have gone").unwrap().unwrap()
    }

    /// Tells the worker to stop, as SIGTERM does, and waits until it is gone.
    pub(crate) async fn stop(self) -> Exit {
        self.stop.cancel();
        self.gone().await
    }
}

pub(crate) fn job(name: &str) -> JobId {
    JobId::new(name).unwrap()
}
