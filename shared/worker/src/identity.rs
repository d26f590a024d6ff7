//! Who this worker is, over restarts of its process.

use std::{
    fs::{File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use contract::WorkerId;

/// The most workers that share a machine and a data folder.
const MOST_WORKERS: u32 = 1024;

/// A worker's name, held by a lock file as long as this lives.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) worker: WorkerId,
    _lock: File,
}

impl Identity {
    /// Takes the name that was set, or the first free one of this machine: `<host>-0`, `<host>-1` and so on.
    ///
    /// # Errors
    /// When the name is taken, or the folder of the lock files cannot be used.
    pub(crate) fn take(set: Option<&WorkerId>, host: &str, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        if let Some(worker) = set {
            let Some(identity) = Self::lock(worker.clone(), folder)? else {
                bail!(
                    "another process on this machine is worker {worker} already; give each its own worker.id"
                );
            };
            return Ok(identity);
        }
        for number in 0..MOST_WORKERS {
            if let Some(identity) = Self::lock(numbered(host, number), folder)? {
                return Ok(identity);
            }
        }
        bail!("{MOST_WORKERS} workers run on this machine already")
    }

    /// `None` when another process holds it.
    fn lock(worker: WorkerId, folder: &Path) -> anyhow::Result<Option<Self>> {
        let path: PathBuf = folder.join(format!("{worker}.lock"));
        let context = || format!("cannot use the lock file {}", path.display());
        let mut lock = File::options().create(true).append(true).open(&path).with_context(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).with_context(context)?;
        Ok(Some(Self { worker, _lock: lock }))
    }
}

/// `<host>-<number>`, with what a worker's name may not hold replaced.
fn numbered(host: &str, number: u32) -> WorkerId {
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let host: String = host.chars().map(fits).take(48).collect();
    WorkerId::new(format!("{host}-{number}")).expect("it is short and every character fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_one_machine_get_numbers_and_a_freed_one_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let take = || Identity::take(None, "gpu.example.org", folder.path()).unwrap();
        let first = take();
        let second = take();
        assert_eq!(first.worker.as_str(), "gpu-example-org-0");
        assert_eq!(second.worker.as_str(), "gpu-example-org-1");
        drop(first);
        assert_eq!(take().worker.as_str(), "gpu-example-org-0");
    }

    #[test]
    fn a_name_that_was_set_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let name = WorkerId::new("trainer").unwrap();
        let held = Identity::take(Some(&name), "host", folder.path()).unwrap();
        let error = Identity::take(Some(&name), "host", folder.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "another process on this machine is worker trainer already; give each its own worker.id"
        );
        drop(held);
        Identity::take(Some(&name), "host", folder.path()).unwrap();
    }

    #[test]
    fn a_long_or_empty_host_still_makes_a_name() {
        assert_eq!(numbered(&"h".repeat(200), 12).as_str().len(), 51);
        assert_eq!(numbered("", 0).as_str(), "-0");
    }
}
