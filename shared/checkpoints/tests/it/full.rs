//! A disk that is full.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::ensure;
use checkpoints::{History, HistoryError, ObjectStore, StoreError};
use tempfile::TempDir;

use crate::behaviour::{commit_of, job, upload};

/// A small disk of a test's own, in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount one.
    fn mount() -> anyhow::Result<Option<Self>> {
        let folder = TempDir::new()?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Some(Self(folder))),
            refused => {
                eprintln!("skipped: a small disk cannot be mounted here ({refused:?})");
                Ok(None)
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes until nothing more fits; removing the file makes room again.
    fn fill(&self) -> anyhow::Result<PathBuf> {
        let path = self.path().join("ballast");
        let mut ballast = File::create(&path)?;
        for size in [4096, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_harms_nothing() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let store = ObjectStore::open(&disk.path().join("store").display().to_string(), disk.path())?;
    let history = History::of(store.clone(), job("a"));
    history.open(1).await?;
    let first = history.commit(&commit_of(&upload(&store, 1, 1, b"first").await?, 1, 1)).await?;
    let second = upload(&store, 1, 2, b"second").await?;
    let before = history.list(true).await?;

    let ballast = disk.fill()?;
    let commit = history.commit(&commit_of(&second, 1, 2)).await;
    ensure!(matches!(commit, Err(HistoryError::Store(StoreError::Full { .. }))), "{commit:?}");
    let opened = history.open(2).await;
    ensure!(matches!(opened, Err(HistoryError::Store(StoreError::Full { .. }))), "{opened:?}");
    let staged = store.stage(&job("a"), 1, 3).await?;
    let path = staged.path.clone();
    ensure!(std::fs::write(&path, vec![1; 1 << 20]).is_err());
    drop(staged);
    ensure!(!path.exists(), "what was written of it is removed");
    let picture = disk.path().join("ballast");
    let artifact = store.put_artifact(&job("a"), "picture.png", &picture).await;
    ensure!(matches!(artifact, Err(StoreError::Full { .. })), "{artifact:?}");
    assert_eq!(history.list(true).await?, before, "the history is as it was");

    std::fs::remove_file(ballast)?;
    let second = history.commit(&commit_of(&second, 1, 2)).await?;
    assert_eq!(history.open(2).await?, (Some(second.clone()), Vec::new()));
    let kept: Vec<_> =
        history.list(true).await?.into_iter().map(|listed| (listed.manifest, listed.damage)).collect();
    assert_eq!(kept, [(second, None), (first, None)]);
    Ok(())
}
