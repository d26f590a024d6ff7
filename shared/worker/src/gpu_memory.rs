//! Whether the GPU's memory is there for the next run, or somebody else holds it: a program of another user, or what is
//! left of a process that died.

use std::{collections::BTreeSet, fmt, path::Path};

use nvml_wrapper::{Nvml, enums::device::UsedGpuMemory, error::NvmlError};

use crate::device;

/// What may be missing of what a class promises: drivers keep some for themselves, and so do contexts.
const TOLERATED_MIB: u64 = 1024;

/// What the driver tells of a GPU's memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GpuMemory {
    /// The GPU's number on its machine.
    pub index: u32,
    /// All there is.
    pub total_mib: u64,
    /// What is held, by whomever.
    pub used_mib: u64,
    /// Who holds it, as far as the driver tells.
    pub holders: Vec<Holder>,
}

/// A process that holds memory of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its number, as the driver sees it.
    pub pid: u32,
    /// How much, where the driver tells.
    pub mib: Option<u64>,
}

/// What is known of our own part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ours {
    /// This process.
    pub(crate) pid: u32,
    /// The other trainers of this machine.
    pub(crate) siblings: BTreeSet<u32>,
    /// Whether this process may hold memory itself, because it has run something.
    pub(crate) has_run: bool,
}

/// Why a run would not find the memory that its class promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    index: u32,
    mib: u64,
    pids: Vec<u32>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, mib, pids } = self;
        write!(f, "gpu {index}: {:.1} GiB held by others", *mib as f64 / 1024.0)?;
        match pids.as_slice() {
            [] => Ok(()),
            [pid] => write!(f, " (pid {pid})"),
            pids => {
                let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
                write!(f, " (pids {})", pids.join(", "))
            }
        }
    }
}

/// Judges whether others leave free what a class promises, less a tenth of it or [`TOLERATED_MIB`]. Where our own part
/// cannot be told from theirs, as in a container that sees other process numbers than the driver, nobody is accused.
pub(crate) fn judge(memory: &GpuMemory, ours: &Ours, promised_mib: Option<u64>) -> Result<(), Held> {
    let is_ours = |holder: &&Holder| holder.pid == ours.pid || ours.siblings.contains(&holder.pid);
    let (mine, others): (Vec<&Holder>, Vec<&Holder>) = memory.holders.iter().partition(is_ours);
    let is_seen = mine.iter().any(|holder| holder.pid == ours.pid);
    if ours.has_run && !is_seen {
        return Ok(());
    }
    let Some(mine) = mine.iter().map(|holder| holder.mib).sum::<Option<u64>>() else { return Ok(()) };
    let held = memory.used_mib.saturating_sub(mine);
    let promised = promised_mib.unwrap_or(memory.total_mib).min(memory.total_mib);
    let tolerated = TOLERATED_MIB.max(promised / 10);
    if promised <= memory.total_mib.saturating_sub(held) + tolerated {
        return Ok(());
    }
    Err(Held { index: memory.index, mib: held, pids: others.iter().map(|holder| holder.pid).collect() })
}

/// Looks at the GPU that CUDA shows first; `None` where there is none, or where the driver does not tell.
pub(crate) fn look(nvml: &Nvml, visible: Option<&str>) -> Result<Option<GpuMemory>, NvmlError> {
    let Some(gpu) = device::first_of(nvml, visible)? else { return Ok(None) };
    let memory = gpu.memory_info()?;
    let holders = gpu.running_compute_processes()?.into_iter().map(|process| Holder {
        pid: process.pid,
        mib: match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes >> 20),
            UsedGpuMemory::Unavailable => None,
        },
    });
    Ok(Some(GpuMemory {
        index: gpu.index()?,
        total_mib: memory.total >> 20,
        used_mib: memory.used >> 20,
        holders: holders.collect(),
    }))
}

/// The processes of this machine's trainers, by the lock files of their names.
pub(crate) fn siblings(folder: &Path) -> BTreeSet<u32> {
    let Ok(files) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let locks =
        files.flatten().map(|file| file.path()).filter(|path| path.extension() == Some("lock".as_ref()));
    locks.filter_map(|lock| std::fs::read_to_string(lock).ok()?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(used_mib: u64, holders: &[(u32, Option<u64>)]) -> GpuMemory {
        let holders = holders.iter().map(|&(pid, mib)| Holder { pid, mib }).collect();
        GpuMemory { index: 2, total_mib: 23_034, used_mib, holders }
    }

    /// This process is 10, another trainer 11.
    fn check(memory: &GpuMemory, has_run: bool, refusal: Option<&str>) {
        let ours = Ours { pid: 10, siblings: [10, 11].into(), has_run };
        let judged = judge(memory, &ours, Some(23_028)).err().map(|held| held.to_string());
        assert_eq!(judged.as_deref(), refusal, "{memory:?}");
    }

    #[test]
    fn what_others_hold_is_refused_and_they_are_named() {
        check(&memory(450, &[]), false, None);
        check(&memory(2_308, &[(7, Some(1_900))]), false, None);
        check(&memory(2_309, &[(7, Some(1_900))]), false, Some("gpu 2: 2.3 GiB held by others (pid 7)"));
        let two = memory(20_480, &[(7, Some(18_000)), (8, None)]);
        check(&two, false, Some("gpu 2: 20.0 GiB held by others (pids 7, 8)"));
        check(&memory(9_318, &[]), false, Some("gpu 2: 9.1 GiB held by others"));
    }

    #[test]
    fn what_we_hold_ourselves_is_not_held_against_us() {
        check(&memory(20_480, &[(10, Some(20_000))]), true, None);
        check(&memory(20_480, &[(10, Some(1_000)), (11, Some(19_000))]), true, None);
        let both = memory(20_480, &[(10, Some(10_240)), (7, Some(9_000))]);
        check(&both, true, Some("gpu 2: 10.0 GiB held by others (pid 7)"));
    }

    #[test]
    fn who_cannot_tell_its_own_part_accuses_nobody() {
        // A container: the driver knows this process by another number.
        check(&memory(20_480, &[(4_711, Some(20_000))]), true, None);
        check(&memory(20_480, &[(10, None)]), true, None);
    }

    #[test]
    fn a_class_may_promise_less_than_there_is() {
        let ours = Ours { pid: 10, siblings: [].into(), has_run: false };
        let half = memory(11_000, &[(7, Some(11_000))]);
        assert_eq!(judge(&half, &ours, Some(11_000)), Ok(()));
        assert!(judge(&half, &ours, Some(23_028)).is_err());
        assert!(judge(&half, &ours, None).is_err());
    }

    #[test]
    fn the_machines_trainers_are_known_by_their_locks() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("a.lock", "41\n"), ("b.lock", "42\n"), ("c.lock", ""), ("d.runs.json", "43")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(siblings(folder.path()), [41, 42].into());
        assert_eq!(siblings(&folder.path().join("nowhere")), [].into());
    }
}
