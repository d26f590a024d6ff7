//! A checkpoint-store, its broker and its folder.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::Context;
use broker::{Broker, BrokerOptions, RequestError};
use checkpoints::ObjectStore;
use contract::{
    JobId, Request,
    checkpoints::{CommitCheckpoint, ListCheckpoints, ListedCheckpoint, OpenHistory, OpenedHistory},
};
use local_broker::testing::TestVhost;
use settings::Settings;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Generous: it only passes when something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// One test's own world.
pub(crate) struct World {
    pub(crate) store: ObjectStore,
    pub(crate) broker: Broker,
    _vhost: TestVhost,
    folder: TempDir,
    /// What differs from the defaults, as `REKINDLE__…` variables.
    variables: Vec<(String, String)>,
}

/// A checkpoint-store in this process.
pub(crate) struct Replica {
    stop: CancellationToken,
    running: JoinSet<anyhow::Result<()>>,
}

impl World {
    pub(crate) async fn new(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let vhost = TestVhost::create().await?;
        let folder = TempDir::new()?;
        let options = BrokerOptions {
            url: vhost.amqp_url().into(),
            heartbeat: Duration::from_secs(10),
            name: "test".into(),
        };
        let broker = Broker::connect(options, &CancellationToken::new()).await?;
        let checkpoints = folder.path().join("checkpoints");
        let store = ObjectStore::open(&checkpoints.display().to_string(), &folder.path().join("scratch"))?;
        let own = [
            ("REKINDLE__BROKER__URL", vhost.amqp_url().to_owned()),
            ("REKINDLE__CHECKPOINTS__URL", checkpoints.display().to_string()),
            ("REKINDLE__DATA__DIR", folder.path().display().to_string()),
        ];
        let others = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let variables = own.into_iter().chain(others).map(|(name, value)| (name.to_owned(), value)).collect();
        std::fs::write(folder.path().join("rekindle.toml"), settings::BUILT_IN)?;
        Ok(Self { store, broker, _vhost: vhost, folder, variables })
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("rekindle.toml")
    }

    /// Starts a replica in this process.
    pub(crate) fn start(&self) -> anyhow::Result<Replica> {
        let settings: Settings = settings::load(&self.config(), self.variables.clone())?;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(checkpoint_store::run(settings, stop.clone()));
        Ok(Replica { stop, running })
    }

    /// Starts the program itself. It is killed when this is dropped.
    pub(crate) fn spawn(&self) -> anyhow::Result<Child> {
        let mut program = Command::new(env!("CARGO_BIN_EXE_checkpoint-store"));
        program.arg("--config").arg(self.config()).envs(self.variables.iter().cloned());
        program.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        program.spawn().context("cannot start the checkpoint-store")
    }

    /// Writes `content` to the store, as a trainer does, and says what a commit of it would be.
    pub(crate) async fn upload(
        &self,
        job: &JobId,
        token: u32,
        step: u64,
        content: &[u8],
    ) -> anyhow::Result<CommitCheckpoint> {
        let staged = self.store.stage(job, token, step).await?;
        tokio::fs::write(&staged.path, content).await?;
        let uploaded = self.store.upload(staged).await?;
        Ok(CommitCheckpoint {
            job_id: job.clone(),
            token,
            step,
            role: Default::default(),
            key: uploaded.key,
            bytes: uploaded.bytes,
            blake3: uploaded.blake3,
            metrics: [("loss".to_owned(), 0.25)].into(),
        })
    }

    pub(crate) async fn ask<R: Request>(&self, request: &R) -> Result<R::Reply, RequestError> {
        self.broker.request(request, PATIENCE).await
    }

    pub(crate) async fn open(&self, job: &JobId, token: u32) -> Result<OpenedHistory, RequestError> {
        self.ask(&OpenHistory { job_id: job.clone(), token }).await
    }

    /// Uploads and commits.
    pub(crate) async fn save(&self, job: &JobId, token: u32, step: u64) -> anyhow::Result<CommitCheckpoint> {
        let commit = self.upload(job, token, step, format!("{token} {step}").as_bytes()).await?;
        self.ask(&commit).await?;
        Ok(commit)
    }

    pub(crate) async fn list(&self, job: &JobId) -> Result<Vec<ListedCheckpoint>, RequestError> {
        let list = ListCheckpoints { job_id: job.clone(), verify: true };
        self.ask(&list).await.map(|list| list.checkpoints)
    }

    /// The steps in the history, newest first; none of them damaged.
    pub(crate) async fn steps(&self, job: &JobId) -> anyhow::Result<Vec<u64>> {
        let list = self.list(job).await?;
        for listed in &list {
            anyhow::ensure!(listed.damage.is_none(), "{listed:?}");
        }
        Ok(list.iter().map(|listed| listed.manifest.step).collect())
    }

    /// How many files of the job lie in the store.
    pub(crate) fn files(&self, job: &JobId) -> usize {
        let data = self.folder.path().join(format!("checkpoints/jobs/{job}/data"));
        std::fs::read_dir(data).map_or(0, Iterator::count)
    }
}

impl Replica {
    /// Stops it and hands on what it ended with.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.running.join_next().await.context("it runs")??
    }
}

pub(crate) fn job(name: &str) -> JobId {
    JobId::new(name).expect("a job id")
}
