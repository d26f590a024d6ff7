//! `rekindle up`, with scripts in the services' places.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::{
    command::{Finished, World},
    scheduler::Scheduler,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Says who it is, and when it is told to stop.
const SERVICE: &str = r#"#!/bin/sh
name=$(basename "$0")
trap 'echo "$name stops"; exit 0' TERM
echo "$name is process $$ of worker ${REKINDLE__WORKER__ID:-none}"
while :; do sleep 0.02; done
"#;

/// A system under `up`.
struct System {
    programs: TempDir,
    up: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

/// A folder with `rekindle` and the scripts beside it.
fn programs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["scheduler", "checkpoint-store", "classifier-trainer", "dit-trainer"] {
        let path = folder.path().join(name);
        fs::write(&path, SERVICE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::copy(env!("CARGO_BIN_EXE_rekindle"), folder.path().join("rekindle")).unwrap();
    folder
}

fn up(programs: &Path, world: &World, arguments: &[&str]) -> Command {
    let original = world.command(&[]);
    let mut command = Command::new(programs.join("rekindle"));
    let variables = original.as_std().get_envs().filter_map(|(name, value)| Some((name, value?)));
    command
        .envs(variables)
        .env_remove("REKINDLE_CONFIG")
        .env("REKINDLE__WORKER__ID", "host")
        .env("REKINDLE__WORKER__GPU", "cpu")
        .current_dir(world.folder.path())
        .arg("up")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl System {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let programs = programs();
        let mut up = up(programs.path(), world, arguments).spawn().unwrap();
        let lines = BufReader::new(up.stderr.take().unwrap()).lines();
        Self { programs, up, lines }
    }

    async fn line(&mut self) -> Option<String> {
        timeout(LIMIT, self.lines.next_line()).await.expect("no line came").unwrap()
    }

    /// Waits for a line with `part` in it.
    async fn line_with(&mut self, part: &str) -> String {
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("it ended before it said {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits until a service says who it is.
    async fn process_of(&mut self, service: &str) -> Pid {
        let line = self.line_with(&format!("{service} is process ")).await;
        let number = line.split(" is process ").nth(1).unwrap().split(' ').next().unwrap();
        Pid::from_raw(number.parse().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.up.id().unwrap()).unwrap()), signal).unwrap();
    }
}

#[tokio::test]
async fn what_dies_comes_back_under_its_name_and_stops_come_in_order() {
    let world = World::create().await;
    let mut system = System::start(&world, &["--trainers", "1"]);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let line = system.line_with(" is process ").await;
        seen.push(line);
    }
    let trainer = seen.iter().find(|line| line.contains("classifier-trainer is process")).unwrap();
    assert!(trainer.ends_with("of worker host"), "{trainer}");
    let number = trainer.split(" is process ").nth(1).unwrap().split(' ').next().unwrap();
    kill(Pid::from_raw(number.parse().unwrap()), Signal::SIGKILL).unwrap();
    system.line_with("was killed by SIGKILL; starting it again").await;
    let again = system.line_with("classifier-trainer is process").await;
    assert!(again.ends_with("of worker host"), "{again}");

    system.signal(Signal::SIGTERM);
    let mut stops = Vec::new();
    while let Some(line) = system.line().await {
        stops.extend(line.strip_suffix(" stops").map(|line| line.split(' ').next_back().unwrap().to_owned()));
    }
    // Those of one stage stop side by side.
    stops[..2].sort();
    assert_eq!(stops, ["classifier-trainer", "dit-trainer", "checkpoint-store", "scheduler"]);
    assert_eq!(system.up.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn readiness_is_told_when_the_scheduler_knows_the_trainers() {
    let world = World::create().await;
    let _scheduler = Scheduler::start(&world, Vec::new()).await;
    let programs = programs();
    let mut up = up(programs.path(), &world, &["--json"]);
    let mut up = up.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let line = timeout(LIMIT, lines.next_line()).await.expect("it is never ready").unwrap().unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["services"][2]["name"], "trainer");
}

#[tokio::test]
async fn a_second_system_in_the_same_folder_is_refused() {
    let world = World::create().await;
    let mut first = System::start(&world, &["--trainers", "0"]);
    first.process_of("scheduler").await;
    let second = up(first.programs.path(), &world, &[]).output().await.unwrap();
    let second = Finished::of(second);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("a system runs in"), "{second:?}");
    assert!(second.stderr.contains(&format!("(process {})", first.up.id().unwrap())), "{second:?}");
}

#[tokio::test]
async fn nothing_outlives_a_system_that_was_killed() {
    let world = World::create().await;
    let mut system = System::start(&world, &["--trainers", "0"]);
    let scheduler = system.process_of("scheduler").await;
    system.signal(Signal::SIGKILL);
    system.up.wait().await.unwrap();
    let gone = async {
        while PathBuf::from(format!("/proc/{scheduler}/cmdline")).exists() && !is_zombie(scheduler) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, gone).await.expect("the scheduler lives on");
}

fn is_zombie(process: Pid) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn what_is_missing_is_named_before_anything_starts() {
    let world = World::create().await;
    let programs = programs();
    fs::remove_file(programs.path().join("scheduler")).unwrap();
    let refused = Finished::of(up(programs.path(), &world, &[]).output().await.unwrap());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("the program scheduler is missing"), "{refused:?}");

    let programs = self::programs();
    let mut without_broker = up(programs.path(), &world, &[]);
    without_broker.env("REKINDLE__BROKER__URL", "amqp://127.0.0.1:9/%2f");
    let refused = Finished::of(without_broker.output().await.unwrap());
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("no broker answers at 127.0.0.1:9"), "{refused:?}");
}
