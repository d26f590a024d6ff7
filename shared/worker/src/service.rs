//! A worker's process from its first word to its last.

use std::{
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use anyhow::{Context, anyhow};
use broker::{Broker, BrokerOptions, Outgoing, RequestError};
use checkpoints::ObjectStore;
use contract::{
    Incarnation, Refusal, Refused,
    events::AttemptEnded,
    lease::{Goodbye, Hello, Welcome},
};
use settings::Settings;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Exit, Trainer,
    backoff::Backoff,
    device::Device,
    gate::{Gate, Probe},
    heartbeat,
    host_memory::{self, HostMemory},
    identity::Identity,
    last_life::{Death, LastLife},
    meters::Meters,
    notice::Lookout,
    runs::Runs,
    slot, teller,
    worker::Worker,
};

/// How long the scheduler may take to answer a greeting.
const GREETING: Duration = Duration::from_secs(5);

/// Takes attempts of the trainer's workload and runs them, until `stop`. Then nothing more is taken, what runs is asked
/// to save its state within its grace time and is handed back.
///
/// # Errors
/// When the settings cannot be used, or the broker or the scheduler refuses this worker.
pub async fn run(settings: Settings, trainer: impl Trainer, stop: CancellationToken) -> anyhow::Result<Exit> {
    run_on(settings, trainer, None, stop).await
}

/// The same on a machine of whose GPU `probe` tells; without one, the driver does.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    settings: Settings,
    trainer: impl Trainer,
    probe: Option<Probe>,
    stop: CancellationToken,
) -> anyhow::Result<Exit> {
    let workload = trainer.workload();
    let policy = settings.workload(workload.as_str())?;
    let (slots, host_memory_mib) = (policy.slots, policy.host_memory_mib);
    let host = nix::unistd::gethostname().context("this machine has no name")?;
    let host = host.to_string_lossy().into_owned();
    let workers = settings.data.dir.join("workers");
    let identity = Identity::take(settings.worker.id.as_ref(), &host, &workers)?;
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let device = Device::detect(settings.worker.gpu.as_ref(), visible.as_deref())?;
    let store = ObjectStore::open(&settings.checkpoints.url, &settings.data.dir.join("scratch"))?;
    let mut lookout = Lookout::start(&settings.worker);
    lookout.while_going(&stop).await;
    let gate = Gate {
        probe: probe.or_else(|| device.probe(visible)),
        promised_mib: settings
            .gpu
            .get(&device.class)
            .map(|class| policy.usable_mib(&device.class, class.memory_mib)),
        locks: workers.clone(),
    };
    let hello = Hello {
        worker: identity.worker.clone(),
        incarnation: Incarnation::generate(),
        workload,
        gpu: device.class,
        tier: settings.worker.tier,
        slots,
        memory_mib: device.memory_mib,
        host,
        pid: std::process::id(),
        release: env!("CARGO_PKG_VERSION").into(),
        paused: None,
    };

    let host_memory = HostMemory::limited_to(host_memory_mib, &hello.worker, &workers);
    let options = BrokerOptions {
        url: settings.broker_url(),
        heartbeat: settings.broker.heartbeat.to_duration(),
        name: format!("{}-trainer {}", hello.workload, hello.worker),
    };
    let broker = Broker::connect(options, &stop).await?;
    let worker = Worker {
        queue: contract::names::work_queue(&hello.workload, &hello.gpu, hello.tier),
        hello,
        broker,
        store,
        trainer: Arc::new(trainer),
        run_folders: settings.data.dir.join("runs"),
        data_roots: settings.data.roots.clone(),
        failure_rules: settings.failure_rules.clone(),
        runs: Arc::new(Runs::default()),
        meters: Meters::new(),
        host_memory,
        gate,
        paused: Mutex::default(),
        drain: stop.child_token(),
        resting: watch::Sender::new(false),
        abandoned: AtomicBool::new(false),
        notice: OnceLock::new(),
        dismissed: OnceLock::new(),
    };
    let span = tracing::info_span!("worker", worker.id = %worker.hello.worker);
    let (incarnation, id) = (worker.hello.incarnation, &worker.hello.worker);
    let died = Death::told(&settings.failure_rules);
    let (life, ended) = LastLife::begin(&workers, id, incarnation, &worker.host_memory, died);
    Arc::new(worker).serve_watched(lookout, life, ended).instrument(span).await
}

impl Worker {
    /// Serves, and hands everything back as soon as the cloud gives notice or the memory does not suffice.
    async fn serve_watched(
        self: Arc<Self>,
        mut lookout: Lookout,
        life: LastLife,
        ended: Vec<AttemptEnded>,
    ) -> anyhow::Result<Exit> {
        let end = CancellationToken::new();
        let served = async {
            let served = self.clone().serve(ended).await;
            end.cancel();
            served
        };
        let watched = host_memory::guard(&self, life, &end);
        let (served, (), ()) = tokio::join!(served, lookout.guard(&self, &end), watched);
        served
    }

    /// Serves, after it has told how runs of this process's last life `ended`: the hello declares those lost that are not
    /// known to be over.
    async fn serve(self: Arc<Self>, ended: Vec<AttemptEnded>) -> anyhow::Result<Exit> {
        let ready = async {
            for end in &ended {
                tracing::warn!(job.id = %end.job_id, job.attempt = end.attempt, "killed for memory");
            }
            teller::deliver(&self.broker, ended.iter().map(Outgoing::event).collect()).await;
            let welcome = self.say_hello().await?;
            self.rest(welcome.draining);
            self.broker.ensure_work_queue(&self.queue).await?;
            anyhow::Ok(welcome)
        };
        let Some(welcome) = self.drain.run_until_cancelled(ready).await.transpose()? else {
            self.broker.close().await;
            return Ok(Exit::Stopped);
        };
        let slots = self.hello.slots;
        tracing::info!(queue = self.queue, slots, incarnation = %self.hello.incarnation.0, "ready for work");

        let end = CancellationToken::new();
        let served = async {
            let served = self.serve_slots(heartbeat::patience(&welcome)).await;
            end.cancel();
            served
        };
        let (served, (), ()) =
            tokio::join!(served, heartbeat::beat(&self, &welcome, &end), self.warm_up(&end));
        self.say_goodbye().await;
        self.broker.close().await;
        served?;
        if let Some(refused) = self.dismissed.get() {
            return Err(not_taken(refused.clone()));
        }
        Ok(if self.has_abandoned() { Exit::Abandoned } else { Exit::Stopped })
    }

    /// Introduces the worker, until it is answered.
    async fn say_hello(&self) -> anyhow::Result<Welcome> {
        let mut backoff = Backoff::new();
        loop {
            match self.broker.request(&self.hello, GREETING).await {
                Ok(welcome) => return Ok(welcome),
                Err(RequestError::Refused(refused)) if refused.reason != Refusal::Unavailable => {
                    return Err(not_taken(refused));
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "waiting for the scheduler");
                    backoff.wait().await;
                }
            }
        }
    }

    /// Runs every slot until the worker drains. A slot that fails makes the others hand back what they run.
    async fn serve_slots(self: &Arc<Self>, patience: Duration) -> anyhow::Result<()> {
        let mut slots = JoinSet::new();
        for slot in 0..self.hello.slots {
            let span = tracing::debug_span!("slot", slot);
            slots.spawn(slot::serve(self.clone(), patience).instrument(span));
        }
        let mut outcome = Ok(());
        while let Some(ended) = slots.join_next().await {
            let ended = match ended {
                Ok(served) => served.map_err(anyhow::Error::from),
                Err(panic) => Err(panic.into()),
            };
            if ended.is_err() {
                self.drain.cancel();
                outcome = outcome.and(ended);
            }
        }
        outcome.context("a slot cannot go on")
    }

    async fn say_goodbye(&self) {
        let goodbye = Goodbye { worker: self.hello.worker.clone(), incarnation: self.hello.incarnation };
        match self.broker.request(&goodbye, GREETING).await {
            Ok(_) => tracing::info!("said good-bye"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the scheduler did not hear the good-bye; its lease will tell it"
                );
            }
        }
    }
}

fn not_taken(refused: Refused) -> anyhow::Error {
    anyhow!(refused).context("the scheduler does not take this worker")
}
