//! Keeping one service running.

use std::{
    io,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{console::Console, plan::Service};

/// A service that ran this long was healthy, and its end is the first one.
const HEALTHY: Duration = Duration::from_secs(10);
/// The waits between starts of a service that keeps ending at once.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the last lines of a dead service may take to arrive, should something hold its pipes open.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Runs `service`, and runs it again whenever it ends, until `stop`: then it is told to stop and, after its grace,
/// killed.
///
/// # Errors
/// When its program cannot be started at all.
pub(crate) async fn keep_running(
    service: Service,
    console: Arc<Console>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut early_ends = 0;
    let mut last_death = None;
    loop {
        let begin = Instant::now();
        let mut running = Running::start(&service, &console, last_death)?;
        let status = tokio::select! {
            status = running.end() => status?,
            () = stop.cancelled() => return running.stop(&service, &console).await,
        };
        running.last_lines().await;
        last_death = death(status);
        early_ends = if begin.elapsed() < HEALTHY { early_ends + 1 } else { 1 };
        let pause = pause_after(early_ends);
        console.say(&service.name, &format!("{}; {}", ended(status), again(pause)));
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return Ok(());
        }
    }
}

/// How long to wait after that many ends in a row: not at all after the first, so that a service that died is back
/// within a second.
fn pause_after(early_ends: u32) -> Duration {
    match early_ends {
        0 | 1 => Duration::ZERO,
        _ => LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(early_ends - 2))),
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), death(status)) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => format!("was killed by {signal}"),
        (None, None) => "was killed".into(),
    }
}

/// The signal that a process died of.
fn death(status: ExitStatus) -> Option<Signal> {
    use std::os::unix::process::ExitStatusExt;
    status.signal().and_then(|signal| Signal::try_from(signal).ok())
}

fn again(pause: Duration) -> String {
    if pause.is_zero() { "starting it again".into() } else { format!("starting it again in {pause:?}") }
}

/// One life of a service.
struct Running {
    child: Child,
    group: Pid,
    relays: JoinSet<()>,
}

impl Running {
    fn start(service: &Service, console: &Arc<Console>, last_death: Option<Signal>) -> anyhow::Result<Self> {
        let mut child = command(service)
            .envs(last_death.map(|signal| (settings::LAST_DEATH, signal.as_str())))
            .spawn()
            .with_context(|| format!("cannot start {}", service.program.display()))?;
        let process = child.id().context("a process that was just started has an id")?;
        let group = Pid::from_raw(i32::try_from(process).context("process ids fit")?);
        let mut relays = JoinSet::new();
        if let Some(output) = child.stdout.take() {
            let (console, name) = (console.clone(), service.name.clone());
            relays.spawn(async move { console.relay(&name, output).await });
        }
        if let Some(output) = child.stderr.take() {
            let (console, name) = (console.clone(), service.name.clone());
            relays.spawn(async move { console.relay(&name, output).await });
        }
        Ok(Self { child, group, relays })
    }

    /// Waits until the service has died by itself, and kills what it left behind.
    async fn end(&mut self) -> anyhow::Result<ExitStatus> {
        await_death(self.group).await.context("cannot wait for a process")?;
        self.kill_the_rest();
        self.child.wait().await.context("cannot wait for a process")
    }

    /// Kills every process of the group, such as a dead trainer's data loaders. The leader must not have been reaped: as
    /// long as it is a zombie, the kernel gives its number to no other process and no other group.
    fn kill_the_rest(&self) {
        // A group without living members is no error, and one that cannot be killed is not ours.
        let _ = killpg(self.group, Signal::SIGKILL);
    }

    /// SIGTERM, then SIGKILL for whatever is left after the grace.
    async fn stop(mut self, service: &Service, console: &Console) -> anyhow::Result<()> {
        // It may have ended meanwhile, and then there is nothing to tell.
        let _ = nix::sys::signal::kill(self.group, Signal::SIGTERM);
        if timeout(service.grace, self.end()).await.is_err() {
            console.say(&service.name, &format!("did not stop within {:?}; killing it", service.grace));
            self.kill_the_rest();
            self.end().await?;
        }
        self.last_lines().await;
        Ok(())
    }

    async fn last_lines(&mut self) {
        let all = async { while self.relays.join_next().await.is_some() {} };
        // Lines that come later than this are lost with their writer, which outlived its parent.
        let _ = timeout(LAST_LINES, all).await;
    }
}

/// Waits until a child has died, without reaping it.
async fn await_death(child: Pid) -> io::Result<()> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let mut deaths = signal(SignalKind::child())?;
    while waitid(Id::Pid(child), flags)? == WaitStatus::StillAlive {
        deaths.recv().await;
    }
    Ok(())
}

/// The service's process, in a group of its own, so that Ctrl-C in this terminal reaches `up` alone, and killed by the
/// kernel when `up` dies, so that nothing runs on that nobody watches.
fn command(service: &Service) -> Command {
    let mut command = Command::new(&service.program);
    command
        .args(&service.arguments)
        .env_remove(settings::LAST_DEATH)
        .envs(service.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let up = nix::unistd::getpid();
    #[expect(
        unsafe_code,
        reason = "what runs between fork and exec is two system calls and allocates nothing"
    )]
    // SAFETY: prctl and getppid are async-signal-safe, and errors are made from their numbers.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // It may have died before it could be watched.
            if nix::unistd::getppid() == up { Ok(()) } else { Err(nix::errno::Errno::ESRCH.into()) }
        });
    }
    command
}

#[cfg(test)]
mod tests;
