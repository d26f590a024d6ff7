//! The host memory that a worker's process may use: `workloads.NAME.host_memory_mib`. It is a limit on the process, for
//! all its runs together, because threads share their memory.
//!
//! Three things hold it. A guard looks twice a second at the memory that cannot be dropped, and ends what runs as `oom`
//! when it is too much; the process goes then, which frees it. Where the process may make a control group of its own,
//! the kernel ends it at an eighth more and some room, however fast it grows, and its next life tells why. A request
//! that is far too large at once fails, because the system gives the process no more data than the limit and more
//! room: for memory that is asked for and never touched, such as threads' stacks and allocators' reserves.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use contract::{Failure, FailureClass, WorkerId};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{sync::watch, time::interval};
use tokio_util::sync::CancellationToken;

use crate::{
    control_group::{ControlGroup, Kills, OwnGroup},
    last_life::LastLife,
    worker::Worker,
};

/// How often the guard looks.
const LOOK: Duration = Duration::from_millis(500);
/// The room beyond the limit for what is asked for: a quarter of it, and this.
const ROOM_MIB: u64 = 1024;
/// The room beyond the limit for what is used: an eighth of it, and this. The guard, which can tell more than a kernel
/// that kills, sees a process that grows slowly before it has used that up.
const GROUP_ROOM_MIB: u64 = 128;

/// The memory of this process, watched.
#[derive(Debug)]
pub(crate) struct HostMemory {
    limit_mib: Option<u64>,
    /// Where the kernel holds the limit, as long as this lives.
    group: Option<OwnGroup>,
    /// What was in use when it was too much.
    exceeded: watch::Sender<Option<u64>>,
}

/// What the kernel tells of this process's memory, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct InUse {
    /// What only this process uses and what it shares; not files, which can be read again.
    pub(crate) now_mib: u64,
    /// The most that was in use at once, files included.
    pub(crate) peak_mib: u64,
}

impl HostMemory {
    /// Limits this process, which is `worker` and keeps its locks in `folder`, to `limit_mib`, where there is a limit.
    pub(crate) fn limited_to(limit_mib: Option<u64>, worker: &WorkerId, folder: &Path) -> Self {
        let group = limit_mib.and_then(|limit_mib| limit(limit_mib, worker, folder));
        Self { limit_mib, group, exceeded: watch::Sender::new(None) }
    }

    /// What the kernel has killed for memory in this process's control group; `None` where there is none.
    pub(crate) fn kills(&self) -> Option<Kills> {
        match &self.group {
            Some(own) => own.group().kills(),
            None => ControlGroup::of_this_process()?.kills(),
        }
    }

    /// The limit, if there is one.
    pub(crate) fn limit_mib(&self) -> Option<u64> {
        self.limit_mib
    }

    /// Whether that is too much.
    fn is_exceeded_by(&self, in_use: InUse) -> bool {
        self.limit_mib.is_some_and(|limit| limit < in_use.now_mib)
    }

    /// Waits until too much is in use; what that means for a run.
    pub(crate) async fn exceeded(&self) -> Failure {
        let mut exceeded = self.exceeded.subscribe();
        let used = exceeded.wait_for(Option::is_some).await.map_or(None, |used| *used);
        let (used, limit) = (used.unwrap_or_default(), self.limit_mib.unwrap_or_default());
        let text = format!(
            "host memory: the trainer's process uses {used} MiB, and host_memory_mib of its workload is {limit}"
        );
        Failure::new(FailureClass::Oom, text)
    }
}

/// Looks until `end`, or until too much is in use: then what runs has failed, and the process has to go, because nothing
/// else frees the memory. Notes for the next life of this process what runs.
pub(crate) async fn guard(worker: &Worker, mut life: LastLife, end: &CancellationToken) {
    let mut looks = interval(LOOK);
    let guard = async {
        loop {
            looks.tick().await;
            let in_use = InUse::read().unwrap_or_default();
            life.note(&worker.runs.all(), in_use.peak_mib);
            if worker.host_memory.is_exceeded_by(in_use) {
                tracing::error!(?in_use, "this process uses more host memory than it may; it has to go");
                worker.host_memory.exceeded.send_replace(Some(in_use.now_mib));
                worker.abandon();
                return;
            }
        }
    };
    end.run_until_cancelled(guard).await;
    end.cancelled().await;
    life.note(&[], 0);
}

impl InUse {
    /// What it is now; `None` where the kernel does not tell.
    pub(crate) fn read() -> Option<Self> {
        parse(&fs::read_to_string("/proc/self/status").ok()?)
    }
}

/// Reads lines such as `RssAnon: 123456 kB`.
fn parse(status: &str) -> Option<InUse> {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024)
    };
    Some(InUse { now_mib: mib("RssAnon")? + mib("RssShmem")?, peak_mib: mib("VmHWM")? })
}

/// The most data that a process with this limit may ask for.
fn most_data_mib(limit_mib: u64) -> u64 {
    limit_mib.saturating_add(limit_mib / 4).saturating_add(ROOM_MIB).min(u64::MAX >> 20)
}

/// The most memory that the control group of a process with this limit may hold.
fn most_held_mib(limit_mib: u64) -> u64 {
    limit_mib.saturating_add(limit_mib / 8).saturating_add(GROUP_ROOM_MIB).min(i64::MAX as u64 >> 20)
}

/// Has the system limit this process: in a control group of its own, where it may make one.
fn limit(limit_mib: u64, worker: &WorkerId, folder: &Path) -> Option<OwnGroup> {
    if let Err(error) = refuse_beyond(most_data_mib(limit_mib) << 20) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the system does not limit this process's data"
        );
    }
    match own_group(limit_mib, worker, folder) {
        Ok(group) => {
            tracing::info!(group = %group.folder().display(), "the kernel limits this process's memory");
            Some(group)
        }
        Err(error) => {
            tracing::info!(
                why = &error as &dyn std::error::Error,
                "this process has no control group of its own: it watches its memory itself"
            );
            None
        }
    }
}

/// Puts this process into a control group that the next life of the same worker finds again. Workers of other data
/// folders may have the same name.
fn own_group(limit_mib: u64, worker: &WorkerId, folder: &Path) -> io::Result<OwnGroup> {
    let above = ControlGroup::of_this_process()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no control group counts its memory"))?;
    let folder = fs::metadata(folder)?;
    let name = format!("rekindle-{worker}-{:x}-{:x}", folder.dev(), folder.ino());
    above.enclose(&name, most_held_mib(limit_mib) << 20)
}

/// Has requests for more private memory than that fail. A lower limit that holds already stays.
fn refuse_beyond(bytes: u64) -> nix::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    setrlimit(Resource::RLIMIT_DATA, bytes.min(soft), hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        let status = "Name:\ttrainer\nVmHWM:\t  409600 kB\nVmRSS:\t  300000 kB\nRssAnon:\t  204800 kB\n\
                      RssFile:\t   90000 kB\nRssShmem:\t    2048 kB\n";
        assert_eq!(parse(status), Some(InUse { now_mib: 202, peak_mib: 400 }));
        assert_eq!(parse("Name:\tkthreadd\n"), None);
        assert!(InUse::read().is_some_and(|in_use| 0 < in_use.peak_mib));
    }

    #[test]
    fn there_is_room_for_what_is_never_touched() {
        assert_eq!(most_data_mib(16_384), 16_384 + 4_096 + 1_024);
        assert_eq!(most_data_mib(u64::MAX), u64::MAX >> 20);
        assert_eq!(most_held_mib(16_384), 16_384 + 2_048 + 128);
        assert!(most_held_mib(8) < most_data_mib(8), "what is asked for may be more than what is used");
    }
}
