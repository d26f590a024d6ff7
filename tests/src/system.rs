//! A whole Rekindle of its own for one test: real programs, a virtual host on a real broker, a folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use broker::{Broker, BrokerOptions};
use contract::{JobId, SubmitJob};
use local_broker::testing::Proxy;
use tokio_util::sync::CancellationToken;

use crate::{
    config,
    events::Events,
    folder::Folder,
    full_disk::FullDisk,
    home::Home,
    process::{self, Process},
    program::{Program, SCHEDULER},
    wait::wait_for,
};

/// The name of the settings file.
const SETTINGS: &str = "rekindle.toml";

/// A running system. [`System::end`] holds it to the promises.
pub struct System {
    // First, so that a test that fails ends the programs before it takes their broker away.
    programs: BTreeMap<String, Running>,
    /// The test's own line to the broker.
    pub broker: Broker,
    /// What was told on the events exchange.
    pub events: Events,
    home: Home,
    /// Gone before the folder that they are mounted in.
    disks: Vec<FullDisk>,
    pub(crate) folder: Folder,
    pub(crate) jobs: BTreeMap<JobId, SubmitJob>,
}

struct Running {
    program: Program,
    process: Option<Process>,
    line: Proxy,
}

impl System {
    /// A scheduler, a checkpoint-store and one trainer of steps, `host-0`, with `changes` to the usual settings.
    pub async fn start(name: &str, changes: &[(&str, &str)]) -> Self {
        let mut system = Self::bare(name, changes).await;
        system.launch_all([Program::step_trainer("host-0")]).await;
        system
    }

    /// The same without any program.
    pub async fn bare(name: &str, changes: &[(&str, &str)]) -> Self {
        Self::at(Home::shared().await, name, changes).await
    }

    /// The same on a broker of its own, which can be killed.
    pub async fn with_own_broker(name: &str, changes: &[(&str, &str)]) -> Self {
        Self::at(Home::private().await, name, changes).await
    }

    async fn at(home: Home, name: &str, changes: &[(&str, &str)]) -> Self {
        let folder = Folder::create(name);
        config::write(&folder.path().join(SETTINGS), changes);
        for made in ["logs", "datasets", "holds"] {
            std::fs::create_dir(folder.path().join(made)).expect("a new folder can be filled");
        }
        let options =
            BrokerOptions { url: home.url().into(), heartbeat: Duration::from_secs(5), name: "test".into() };
        let broker = Broker::connect(options, &CancellationToken::new()).await.expect("the broker answers");
        let events = Events::listen(&broker).await;
        Self {
            broker,
            events,
            home,
            disks: Vec::new(),
            folder,
            jobs: BTreeMap::new(),
            programs: BTreeMap::new(),
        }
    }

    /// Kills RabbitMQ and starts it again.
    ///
    /// # Panics
    /// When others use it too.
    pub async fn restart_broker(&mut self) {
        let Home::Private(broker) = &mut self.home else { panic!("this broker is not only ours to kill") };
        broker.node.kill().await;
        broker.node.restart().await.expect("the broker starts again");
    }

    /// Whether this system's own broker takes no messages, as when its memory runs out.
    pub async fn hold_back_broker(&self, held: bool) {
        let Home::Private(broker) = &self.home else { panic!("this broker is not only ours to hold back") };
        broker.node.hold_back(held).await.expect("RabbitMQ's tool reaches it");
    }

    /// Keeps a disk that is mounted in this system's folder for as long as the system needs it.
    pub fn keep(&mut self, disk: FullDisk) {
        self.disks.push(disk);
    }

    /// The broker under it.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// The broker's address, password included.
    pub fn broker_url(&self) -> &str {
        self.home.url()
    }

    /// Its management interface, password included.
    pub fn management_url(&self) -> String {
        self.home.management().url().to_owned()
    }

    /// Its virtual host.
    pub fn vhost(&self) -> &str {
        self.home.vhost()
    }

    /// This system's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the settings anew, with `changes` to the usual ones, for programs that are started from now on.
    pub fn configure(&self, changes: &[(&str, &str)]) {
        config::write(&self.path().join(SETTINGS), changes);
    }

    /// Where holds carry their words.
    pub fn holds(&self) -> PathBuf {
        self.path().join("holds")
    }

    /// Starts a scheduler, a checkpoint-store, and trainers.
    pub async fn launch_all(&mut self, trainers: impl IntoIterator<Item = Program>) {
        for program in [Program::scheduler(SCHEDULER), Program::store()].into_iter().chain(trainers) {
            self.launch(program).await;
        }
    }

    /// Starts a program, with a line of its own to the broker.
    pub async fn launch(&mut self, program: Program) {
        let line = Proxy::start(self.home.url()).await.expect("there is a free port");
        let process = Some(self.spawn(&program, &line));
        self.programs.insert(program.name.clone(), Running { program, process, line });
    }

    fn spawn(&self, program: &Program, line: &Proxy) -> Process {
        let file = self.path().join(SETTINGS).display().to_string();
        let variables = [("REKINDLE_CONFIG", file.as_str()), ("REKINDLE__BROKER__URL", line.url())];
        Process::start(program, &variables, &self.log(&program.name))
    }

    /// Runs `rekindle` with these arguments to its end.
    pub async fn rekindle(&self, arguments: &[&str]) -> Output {
        let file = self.path().join(SETTINGS).display().to_string();
        let variables = [("REKINDLE_CONFIG", file.as_str()), ("REKINDLE__BROKER__URL", self.broker_url())];
        process::run("rekindle", arguments, &variables).await
    }

    /// A program's process.
    pub fn process(&mut self, name: &str) -> &mut Process {
        self.running(name).process.as_mut().unwrap_or_else(|| panic!("{name} is not running"))
    }

    /// A program's line to the broker.
    pub fn line(&mut self, name: &str) -> &Proxy {
        &self.running(name).line
    }

    /// Kills a program.
    pub async fn kill(&mut self, name: &str) {
        self.take(name).kill().await;
    }

    /// Takes a program's process out of the system's hands.
    pub fn take(&mut self, name: &str) -> Process {
        self.running(name).process.take().unwrap_or_else(|| panic!("{name} is not running"))
    }

    /// Starts a program again that has ended or was killed.
    pub fn relaunch(&mut self, name: &str) {
        let running = &self.programs[name];
        let process = self.spawn(&running.program, &running.line);
        self.running(name).process = Some(process);
    }

    /// Waits until a program has logged `words`.
    pub async fn log_line(&self, name: &str, words: &str) {
        self.either_line(name, [words]).await;
    }

    /// Waits until a program has logged one of some words, and says which.
    pub async fn either_line<const N: usize>(&self, name: &str, words: [&str; N]) -> usize {
        let log = self.log(name);
        wait_for(&format!("{words:?} in {}", log.display()), async || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            words.iter().position(|words| text.contains(words))
        })
        .await
    }

    fn log(&self, name: &str) -> PathBuf {
        self.path().join("logs").join(format!("{name}.log"))
    }

    /// Kills a program and starts it again.
    pub async fn restart(&mut self, name: &str) {
        self.kill(name).await;
        self.relaunch(name);
    }

    fn running(&mut self, name: &str) -> &mut Running {
        self.programs.get_mut(name).unwrap_or_else(|| panic!("there is no program {name}"))
    }

    /// Asks the programs to end and waits until all have, cleanly. Trainers first: they still have things to say.
    pub async fn shut_down(&mut self) {
        let mut programs = std::mem::take(&mut self.programs);
        let services = programs.split_off("scheduler").into_values().chain(programs.into_values());
        let (services, trainers): (Vec<_>, Vec<_>) =
            services.partition(|running| matches!(running.program.file, "scheduler" | "checkpoint-store"));
        for running in trainers.into_iter().chain(services) {
            if let Some(process) = running.process {
                process.shut_down().await;
            }
        }
    }
}
