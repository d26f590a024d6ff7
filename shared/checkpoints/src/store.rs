//! The bytes.

use std::path::{Path, PathBuf};

use contract::{JobId, checkpoints::Manifest, events::Artifact};

/// The object store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is not one this build can open.
    #[error("{url:?} is not an object store: {problem}; give a folder or s3://bucket/prefix")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The bytes are not those that were committed.
    #[error("{key} is damaged: {problem}")]
    Damaged {
        /// The file.
        key: String,
        /// How.
        problem: String,
    },
    /// There is no room left.
    #[error("no space left to write {key}")]
    Full {
        /// The file.
        key: String,
    },
    /// Anything else; trying again may mend it.
    #[error("cannot {action} {key}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        key: String,
        /// Why.
        #[source]
        error: object_store::Error,
    },
}

/// A folder or a bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ObjectStore {}

/// A file that was written and is not yet in the store's hands.
#[derive(Debug)]
pub struct Staged {
    /// Where to write it on this machine. For a folder store this is its final place, so nothing is copied.
    pub path: PathBuf,
    /// The key it will have.
    pub key: String,
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
    /// Opens the store at a folder's path or a URL. `scratch` is where files wait when the store is not a folder.
    pub fn open(url: &str, scratch: &Path) -> Result<Self, StoreError> {
        let _ = (url, scratch);
        unimplemented!()
    }

    /// A fresh place to write a checkpoint to; no two calls give the same key.
    pub async fn stage(&self, job: &JobId, token: u32, step: u64) -> Result<Staged, StoreError> {
        let _ = (job, token, step);
        unimplemented!()
    }

    /// Makes a staged file durable: hashed, synced, and uploaded where the store is elsewhere.
    pub async fn upload(&self, staged: Staged) -> Result<Uploaded, StoreError> {
        let _ = staged;
        unimplemented!()
    }

    /// Reads every byte and compares size and hash.
    pub async fn verify(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let _ = manifest;
        unimplemented!()
    }

    /// Brings a checkpoint to this machine's disk, verified. For a folder store it is where it lies.
    pub async fn fetch(&self, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        let _ = manifest;
        unimplemented!()
    }

    /// Keeps a file for people, at `jobs/<job>/artifacts/<name>`; a later attempt's replaces it.
    pub async fn put_artifact(&self, job: &JobId, name: &str, file: &Path) -> Result<Artifact, StoreError> {
        let _ = (job, name, file);
        unimplemented!()
    }

    /// Writes an object's bytes to a local file.
    pub async fn download(&self, key: &str, to: &Path) -> Result<(), StoreError> {
        let _ = (key, to);
        unimplemented!()
    }

    /// Where an object lies on this machine, when the store is a folder.
    pub fn local_path(&self, key: &str) -> Option<PathBuf> {
        let _ = key;
        unimplemented!()
    }
}
