//! A scheduler, its broker and its folder.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::Context;
use broker::{Broker, BrokerOptions, Consumer, Outgoing, RequestError};
use contract::{
    JobId, Request, SubmitJob,
    control::{GetJob, JobState, JobView},
    kind_of,
};
use local_broker::testing::{TestVhost, eventually};
use serde_json::json;
use settings::Settings;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Generous: it only passes when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One test's own world.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) vhost: TestVhost,
    folder: TempDir,
    /// What differs from the defaults, as `REKINDLE__…` variables.
    variables: Vec<(String, String)>,
}

/// A scheduler in this process.
pub(crate) struct Leader {
    stop: CancellationToken,
    running: JoinSet<anyhow::Result<()>>,
}

impl World {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        Self::with(&[]).await
    }

    /// A world whose settings differ from those that ship.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let vhost = TestVhost::create().await?;
        let folder = TempDir::new()?;
        let broker = connect(vhost.amqp_url()).await?;
        let own = [
            ("REKINDLE__BROKER__URL", vhost.amqp_url()),
            ("REKINDLE__WORKLOADS__CLASSIFIER__CONCURRENCY", "100"),
            ("REKINDLE__WORKLOADS__CLASSIFIER__RETRY__INITIAL_DELAY", "0.25"),
        ];
        let variables = own.iter().chain(variables).map(|(name, value)| ((*name).into(), (*value).into()));
        let variables = variables.collect();
        std::fs::write(folder.path().join("rekindle.toml"), settings::BUILT_IN)?;
        Ok(Self { broker, vhost, folder, variables })
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("rekindle.toml")
    }

    /// Starts a scheduler in this process.
    pub(crate) fn start(&self) -> anyhow::Result<Leader> {
        self.start_at(self.vhost.amqp_url())
    }

    /// Starts one that finds the broker elsewhere.
    pub(crate) fn start_at(&self, url: &str) -> anyhow::Result<Leader> {
        let mut settings: Settings = settings::load(&self.config(), self.variables.clone())?;
        settings.broker.url = Some(url.to_owned().into());
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(scheduler::run(settings, stop.clone()));
        Ok(Leader { stop, running })
    }

    /// Starts the program itself. It is killed when this is dropped.
    pub(crate) fn spawn(&self) -> anyhow::Result<Child> {
        let mut program = self.program(&[env!("CARGO_BIN_EXE_scheduler")]);
        program.stderr(Stdio::null()).spawn().context("cannot start the scheduler")
    }

    /// The program with its settings, started by way of other programs.
    pub(crate) fn program(&self, words: &[&str]) -> Command {
        let mut program = Command::new(words[0]);
        program.args(&words[1..]).arg("--config").arg(self.config()).envs(self.variables.iter().cloned());
        program.stdin(Stdio::null()).kill_on_drop(true);
        program
    }

    pub(crate) async fn ask<R: Request>(&self, request: &R) -> Result<R::Reply, RequestError> {
        self.broker.request(request, PATIENCE).await
    }

    /// Submits without waiting for an answer, as other programs do.
    pub(crate) async fn publish(&self, submission: &SubmitJob) -> anyhow::Result<()> {
        let (exchange, key) = SubmitJob::ADDRESS;
        Ok(self.broker.publish(Outgoing::new(exchange, key, submission)).await?)
    }

    pub(crate) async fn view(&self, job_id: &JobId) -> Result<JobView, RequestError> {
        self.ask(&GetJob { job_id: job_id.clone() }).await
    }

    /// Waits until a job is in a state.
    pub(crate) async fn reached(&self, job_id: &JobId, state: JobState) -> anyhow::Result<JobView> {
        let mut reached = None;
        eventually(&format!("{job_id} is {state}"), async || {
            reached = self.view(job_id).await.ok().filter(|view| view.state == state);
            reached.is_some()
        })
        .await?;
        reached.context("it was reached")
    }

    /// Waits until a queue holds so many messages.
    pub(crate) async fn holds(&self, queue: &str, messages: u64) -> anyhow::Result<()> {
        eventually(&format!("{queue} holds {messages}"), async || {
            let states = self.vhost.management().queues(self.vhost.name()).await.unwrap_or_default();
            states.iter().any(|state| state.name == queue && state.messages == messages)
        })
        .await
    }
}

impl Leader {
    /// Stops it in order.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.running.join_next().await.context("it runs")??
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) async fn abort(mut self) {
        self.running.shutdown().await;
    }
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<Broker> {
    let options = BrokerOptions { url: url.into(), heartbeat: Duration::from_secs(10), name: "test".into() };
    Ok(Broker::connect(options, &CancellationToken::new()).await?)
}

pub(crate) fn job(name: &str) -> JobId {
    name.parse().expect("a valid name")
}

/// A submission of the classifier workload.
pub(crate) fn submission(name: &str) -> SubmitJob {
    let fields = json!({ "job_id": name, "workload": "classifier", "params": { "data": "flowers" } });
    serde_json::from_value(fields).expect("a valid submission")
}

/// The kinds of the next events, one a line.
pub(crate) async fn kinds(events: &mut Consumer, count: usize) -> anyhow::Result<String> {
    let mut kinds = Vec::new();
    while kinds.len() < count {
        let event =
            timeout(PATIENCE, events.next()).await.context("an event")?.context("the line is open")?;
        kinds.push(kind_of(&event.body)?);
    }
    Ok(kinds.join(" "))
}
