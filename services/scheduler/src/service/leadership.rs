//! One scheduler decides at a time: the one that holds the lock beside the database.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// How often a scheduler that waits looks again. The lock goes with the process that holds it, however that ends.
const PATIENCE: Duration = Duration::from_millis(250);

/// The right to decide, until it is dropped.
#[derive(Debug)]
pub(super) struct Leadership {
    _lock: File,
}

/// Waits until no other scheduler on this database leads; `None` when stopped before.
pub(super) async fn take(database: &Path, stop: &CancellationToken) -> anyhow::Result<Option<Leadership>> {
    let path = database.with_added_extension("lock");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.with_context(|| format!("cannot open {}", path.display()))?;
    let mut waited = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(Leadership { _lock: lock })),
            Err(TryLockError::WouldBlock) if !waited => {
                waited = true;
                info!(lock = %path.display(), "another scheduler leads; waiting to take over");
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        if stop.run_until_cancelled(sleep(PATIENCE)).await.is_none() {
            return Ok(None);
        }
    }
}
