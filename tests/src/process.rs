//! The real programs, as processes that can be killed, stopped and continued.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{program::Program, wait::LIMIT};

/// A program that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    log: PathBuf,
}

impl Process {
    /// Starts the process of a program of this workspace, with so many more `variables`; what it prints is appended to
    /// `log`.
    ///
    /// # Panics
    /// When it has not been built.
    pub fn start(program: &Program, variables: &[(&str, &str)], log: &Path) -> Self {
        let path = program_path(program.file);
        assert!(path.exists(), "{} is missing; build it with: cargo build --bins", path.display());
        let output = OpenOptions::new().create(true).append(true).open(log).expect("the log can be written");
        let errors = output.try_clone().expect("a file can be shared");
        let mut command = match &program.group {
            Some(group) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", r#"echo $$ > "$0/cgroup.procs" && exec "$@""#]).arg(group).arg(&path);
                shell
            }
            None => Command::new(&path),
        };
        let child = command
            .args(program.arguments)
            .envs(program.variables.iter().cloned())
            .envs(variables.iter().copied())
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", path.display()));
        let id = child.id().expect("it has just started");
        let pid = Pid::from_raw(i32::try_from(id).expect("a process id fits"));
        Self { name: program.file.into(), child, pid, log: log.into() }
    }

    /// Ends it at once, as a crash of its machine would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    /// Freezes it, as a long pause of its machine would.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`Process::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = timeout(LIMIT, self.child.wait()).await;
        let ended =
            ended.unwrap_or_else(|_| panic!("{} does not end; see {}", self.name, self.log.display()));
        ended.expect("a child can be waited for")
    }

    /// Asks it to end and waits until it has, cleanly.
    pub async fn shut_down(self) {
        self.terminate();
        let (name, log) = (self.name.clone(), self.log.clone());
        let status = self.ended().await;
        assert!(status.success(), "{name} ended with {status}; see {}", log.display());
    }

    /// Whether it has ended.
    pub fn is_gone(&mut self) -> bool {
        self.child.try_wait().expect("a child can be looked at").is_some()
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }
}

/// Runs a program of this workspace to its end, with so many more `variables`.
pub(crate) async fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program_path(program));
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let ended = timeout(LIMIT, command.output()).await;
    let ended = ended.unwrap_or_else(|_| panic!("{program} {} does not end", arguments.join(" ")));
    ended.unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
}

/// Where cargo puts the workspace's programs: beside the folder of the tests.
fn program_path(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let profile = test.ancestors().find(|folder| folder.join("deps").is_dir());
    profile.expect("tests run from target/<profile>/deps").join(program)
}
