//! The processes of a node: Erlang's port mapper and the Erlang machine, in one process group.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::time::{Instant, interval};

use crate::{
    LocalBrokerError, configuration::NODE, folder::Folder, installation::Installation, ports::Ports,
};

/// How long an orderly end may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The port mapper, alone in a new process group. Without it, RabbitMQ would start one that stays behind.
pub(crate) fn start_epmd(
    installation: &Installation,
    folder: &Folder,
    ports: Ports,
) -> Result<Child, LocalBrokerError> {
    let mut command = Command::new(&installation.epmd);
    command
        .args(["-address", "127.0.0.1", "-port", &ports.epmd.to_string()])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    spawn(command, &installation.epmd)
}

/// The node itself, in the process group of its port mapper. All it reads and writes is in the folder.
pub(crate) fn start_server(
    installation: &Installation,
    folder: &Folder,
    ports: Ports,
    process_group: i32,
) -> Result<Child, LocalBrokerError> {
    let output = folder.output()?;
    let errors = output.try_clone().map_err(|error| LocalBrokerError::File { path: folder.log(), error })?;
    let mut command = Command::new(&installation.server);
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LANG", "C.UTF-8")
        .env("HOME", folder.path())
        // The script replaces itself with the Erlang machine only if it thinks that it runs under systemd.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env("RABBITMQ_NODENAME", NODE)
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_CONFIG_FILE", folder.file("rabbitmq.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.file("advanced.config"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.file("enabled_plugins"))
        .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.file("config"))
        .env("RABBITMQ_MNESIA_BASE", folder.file("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.file("log"))
        .env("RABBITMQ_LOGS", folder.log())
        .env("RABBITMQ_PID_FILE", folder.file("rabbitmq.pid"))
        .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
        .env("RABBITMQ_SCHEDULER_BIND_TYPE", "u")
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}")
        .env("ERL_EPMD_PORT", ports.epmd.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(process_group);
    spawn(command, &installation.server)
}

/// RabbitMQ's own tool, told how to reach the node.
pub(crate) fn control(installation: &Installation, folder: &Folder, ports: Ports) -> Command {
    let mut command = Command::new(installation.server.with_file_name("rabbitmqctl"));
    command
        .env("HOME", folder.path())
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("ERL_EPMD_PORT", ports.epmd.to_string())
        .args(["--node", NODE])
        .current_dir(folder.path())
        .stdin(Stdio::null());
    command
}

pub(crate) fn is_running(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

/// Asks a process to end, and makes it end after [`STOP_LIMIT`].
pub(crate) async fn end(child: &mut Child) {
    signal(child, Signal::SIGTERM);
    if !has_ended(child, STOP_LIMIT).await {
        tracing::warn!("RabbitMQ did not end in time; killing it");
        kill_now(child).await;
    }
}

/// Kills a process with SIGKILL, and waits until it is gone.
pub(crate) async fn kill_now(child: &mut Child) {
    signal(child, Signal::SIGKILL);
    has_ended(child, STOP_LIMIT).await;
}

/// Kills a whole group with SIGKILL.
pub(crate) fn kill_group(process_group: i32) {
    // It fails only when nobody of the group is left.
    let _ = killpg(Pid::from_raw(process_group), Signal::SIGKILL);
}

/// Ends what a node whose owner died has left running in `folder`: in order if it can, and by force after that.
pub(crate) async fn end_orphans(folder: &Path, process_group: i32) {
    if members(folder, process_group).is_empty() {
        return;
    }
    for member in members(folder, process_group) {
        let _ = kill(member, Signal::SIGTERM);
    }
    let deadline = Instant::now() + STOP_LIMIT;
    let mut look = interval(LOOK);
    while !members(folder, process_group).is_empty() && Instant::now() < deadline {
        look.tick().await;
    }
    kill_group(process_group);
}

/// The processes of the group that run in the folder. Numbers of processes are used again, so both have to be right.
fn members(folder: &Path, process_group: i32) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .map(Pid::from_raw)
        .filter(|pid| nix::unistd::getpgid(Some(*pid)) == Ok(Pid::from_raw(process_group)))
        .filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder)))
        .collect()
}

fn spawn(mut command: Command, program: &Path) -> Result<Child, LocalBrokerError> {
    command.spawn().map_err(|error| LocalBrokerError::Spawn { program: program.into(), error })
}

fn signal(child: &mut Child, signal: Signal) {
    // The number of a process that has been waited for may be another one's by now.
    if is_running(child) {
        let pid = i32::try_from(child.id()).expect("process numbers are small");
        // It fails only when the process is gone.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

async fn has_ended(child: &mut Child, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut look = interval(LOOK);
    while is_running(child) {
        if deadline < Instant::now() {
            return false;
        }
        look.tick().await;
    }
    true
}
