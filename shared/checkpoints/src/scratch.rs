//! The folder of files that are on their way to or from a remote store.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use uuid::Uuid;

use crate::folder;

/// How long a downloaded checkpoint, or what a killed process left behind, stays on the disk.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// A folder for files that can be had again.
#[derive(Debug, Clone)]
pub(crate) struct Scratch(Arc<Path>);

impl Scratch {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.into())
    }

    /// Where the file of `key` waits for its upload.
    pub(crate) fn upload(&self, key: &str) -> PathBuf {
        self.uploads().join(key.rsplit('/').next().unwrap_or(key))
    }

    /// Where a downloaded file of this hash is kept.
    pub(crate) fn cached(&self, blake3: &str) -> PathBuf {
        self.cache().join(format!("{blake3}.safetensors"))
    }

    /// Removes what nobody will ask for again.
    pub(crate) fn clear(&self) -> io::Result<()> {
        folder::clear(&self.uploads(), KEPT_FOR, |_| true)?;
        folder::clear(&self.cache(), KEPT_FOR, |_| true)
    }

    fn uploads(&self) -> PathBuf {
        self.0.join("uploads")
    }

    fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }
}

/// A file that gets its name when it is whole. Dropped before, it is removed.
pub(crate) struct Partial {
    path: PathBuf,
    whole: bool,
}

impl Partial {
    /// A place beside `to` that nobody else writes to.
    pub(crate) fn beside(to: &Path) -> Self {
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", Uuid::now_v7().simple()));
        Self { path: to.with_file_name(name), whole: false }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name.
    pub(crate) async fn finish(mut self, to: &Path) -> io::Result<()> {
        tokio::fs::rename(&self.path, to).await?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.whole {
            // It may never have come to be; what stays is cleared by its age.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
