//! The history of a job's checkpoints.

use contract::{
    JobId,
    checkpoints::{CommitCheckpoint, ListedCheckpoint, Manifest},
};

use crate::{ObjectStore, StoreError};

/// A history could not be opened or added to.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A newer attempt has opened it.
    #[error("attempt {token} was overtaken: attempt {newest} has opened the history of job {job}")]
    Fenced {
        /// The job.
        job: JobId,
        /// Who asked.
        token: u32,
        /// Who holds it.
        newest: u32,
    },
    /// The token was never opened.
    #[error("attempt {token} of job {job} commits before it has opened the history")]
    NotOpened {
        /// The job.
        job: JobId,
        /// Who asked.
        token: u32,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One job's history.
#[derive(Debug)]
pub struct History {}

impl History {
    /// The history of `job` in `store`; nothing is read yet.
    pub fn of(store: ObjectStore, job: JobId) -> Self {
        let _ = (store, job);
        unimplemented!()
    }

    /// Registers `token` as the newest and returns the newest checkpoint that verifies, with what was passed over.
    /// Opening twice with one token is opening once.
    pub async fn open(&self, token: u32) -> Result<(Option<Manifest>, Vec<String>), HistoryError> {
        let _ = token;
        unimplemented!()
    }

    /// Verifies the bytes and writes the manifest: that write is the commit. Committing one file twice is one commit.
    pub async fn commit(&self, commit: &CommitCheckpoint) -> Result<Manifest, HistoryError> {
        let _ = commit;
        unimplemented!()
    }

    /// All checkpoints, newest first; with `verify`, each one's damage.
    pub async fn list(&self, verify: bool) -> Result<Vec<ListedCheckpoint>, StoreError> {
        let _ = verify;
        unimplemented!()
    }

    /// Removes what retention does not keep: all but the last `keep_last` periodic ones, the newest best, the final.
    pub async fn prune(&self, keep_last: u32) -> Result<(), StoreError> {
        let _ = keep_last;
        unimplemented!()
    }
}
