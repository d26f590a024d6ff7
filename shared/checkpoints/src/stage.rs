//! Files on their way into the store.

use std::path::PathBuf;

use contract::JobId;
use tracing::warn;

use crate::{ObjectStore, StoreError, keys};

/// A file that was written and is not yet in the store's hands. Dropping it removes the file, so that a write that
/// failed half way leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    /// Where to write it on this machine. For a folder store this is its final place, so nothing is copied.
    pub path: PathBuf,
    /// The key it will have.
    pub key: String,
    /// Whether the file at `path` is what the store keeps.
    pub(crate) kept: bool,
}

/// What an upload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Where it is.
    pub key: String,
    /// How many bytes.
    pub bytes: u64,
    /// Their BLAKE3 hash, in hexadecimal.
    pub blake3: String,
}

impl ObjectStore {
    /// A fresh place to write a checkpoint to; no two calls give the same key.
    ///
    /// # Errors
    /// When the folder it lies in cannot be made.
    pub async fn stage(&self, job: &JobId, token: u32, step: u64) -> Result<Staged, StoreError> {
        let key = keys::fresh(job, token, step);
        let path = match self.local_path(&key) {
            Some(path) => path,
            None => self.scratch().upload(&key),
        };
        let folder = path.parent().unwrap_or(&path);
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|error| StoreError::of("make room for", &key, error))?;
        Ok(Staged { path, key, kept: false })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                warn!(path = %self.path.display(), %error, "cannot remove an unfinished checkpoint");
            }
            _ => {}
        }
    }
}
