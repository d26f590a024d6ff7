//! What the scheduler remembers: one SQLite file.
//!
//! Every batch of steps is one transaction: the jobs as they are afterwards, their histories, and the messages that
//! tell the world, which stay until the broker has confirmed them. Whatever is read back was written by a transaction
//! that was complete.

mod read;
mod schema;
mod spend;
mod write;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use contract::{
    JobId, Month, SweepId, Timestamp, WorkerId,
    control::{CostLine, GetCost, GetHistory, History, ListJobs},
    sweep::ListSweeps,
};
use rusqlite::Connection;

use crate::core::{Bill, Job, Sweep, Worker};

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Its folder cannot be made.
    #[error("cannot make the folder of the database {}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A later release has written it.
    #[error(
        "the database has schema {found}, and this release knows {newest}; upgrade it, or restore a backup"
    )]
    Newer {
        /// Its schema.
        found: u32,
        /// The newest one known.
        newest: u32,
    },
    /// A row is not what this release writes.
    #[error("the database holds {what} that cannot be read")]
    Unreadable {
        /// Which row.
        what: String,
        /// Why.
        #[source]
        error: serde_json::Error,
    },
    /// SQLite says no: the disk is full, say.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// A message that has to reach the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Its place in the outbox, ascending.
    pub(crate) id: i64,
    /// Where it goes.
    pub(crate) exchange: String,
    /// With which key.
    pub(crate) routing_key: String,
    /// The encoded message.
    pub(crate) body: Vec<u8>,
    /// What makes a repeated publish recognisable.
    pub(crate) message_id: Option<String>,
    /// The trace it belongs to.
    pub(crate) traceparent: Option<String>,
    /// When it is to arrive.
    pub(crate) due: Timestamp,
}

/// One event of a job's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Whose.
    pub(crate) job_id: JobId,
    /// When.
    pub(crate) at: Timestamp,
    /// The event as JSON.
    pub(crate) event: String,
}

/// One transaction.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Jobs as they are now.
    pub(crate) jobs: Vec<JobRow>,
    /// Jobs that go, with their history, be they saved before; their names and what they have cost stay.
    pub(crate) removed: Vec<JobId>,
    /// Sweeps as they are now.
    pub(crate) sweeps: Vec<SweepRow>,
    /// New history.
    pub(crate) history: Vec<Entry>,
    /// New messages.
    pub(crate) letters: Vec<Letter>,
    /// Messages that the broker has.
    pub(crate) sent: Vec<i64>,
    /// Workers as they are now, as JSON.
    pub(crate) workers: Vec<(WorkerId, String)>,
    /// Workers that are gone.
    pub(crate) forgotten: Vec<WorkerId>,
}

/// A job as it is written.
#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    id: String,
    state: &'static str,
    is_end: bool,
    owner: String,
    workload: String,
    sweep: Option<String>,
    failure: Option<&'static str>,
    bill: Bill,
    body: String,
}

/// A sweep as it is written.
#[derive(Debug, Clone)]
pub(crate) struct SweepRow {
    id: String,
    is_end: bool,
    owner: String,
    body: String,
}

impl Changes {
    /// Whether there is anything that cannot wait: messages that were sent may be sent again.
    pub(crate) fn is_urgent(&self) -> bool {
        !(self.jobs.is_empty()
            && self.sweeps.is_empty()
            && self.history.is_empty()
            && self.letters.is_empty()
            && self.workers.is_empty()
            && self.forgotten.is_empty()
            && self.removed.is_empty())
    }
}

/// What a scheduler goes on from.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// The jobs that have not ended.
    pub(crate) jobs: Vec<Job>,
    /// The last jobs that have succeeded, oldest first.
    pub(crate) succeeded: Vec<Job>,
    /// The sweeps that have not ended.
    pub(crate) sweeps: Vec<Sweep>,
    /// The workers.
    pub(crate) workers: Vec<Worker>,
    /// The messages that the broker has not confirmed, oldest first.
    pub(crate) letters: Vec<Letter>,
}

/// What the database knows of some jobs.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    /// Those that there are.
    pub(crate) jobs: Vec<Job>,
    /// Those that were removed.
    pub(crate) removed: Vec<JobId>,
}

/// The database. Calls run on threads that may block.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// Opens the file, makes it if there is none, and brings an older schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let connection = blocking(move || schema::open(&path)).await?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Everything that has not ended.
    pub(crate) async fn load(&self) -> Result<Saved, StoreError> {
        self.with(|connection| {
            Ok(Saved {
                jobs: read::live(connection)?,
                succeeded: read::succeeded(connection)?,
                sweeps: read::live_sweeps(connection)?,
                workers: read::workers(connection)?,
                letters: read::letters(connection)?,
            })
        })
        .await
    }

    /// Writes a batch, all or nothing.
    pub(crate) async fn commit(&self, changes: Arc<Changes>) -> Result<(), StoreError> {
        self.with(move |connection| write::commit(connection, &changes)).await
    }

    /// What there is of these jobs.
    pub(crate) async fn recall(&self, ids: Vec<JobId>) -> Result<Recalled, StoreError> {
        self.with(move |connection| read::recall(connection, &ids)).await
    }

    /// Those of these sweeps that there are.
    pub(crate) async fn recall_sweeps(&self, ids: Vec<SweepId>) -> Result<Vec<Sweep>, StoreError> {
        self.with(move |connection| read::recall_sweeps(connection, &ids)).await
    }

    /// A page of sweeps, newest first, and whether there are older ones.
    pub(crate) async fn sweeps(&self, query: ListSweeps) -> Result<(Vec<Sweep>, bool), StoreError> {
        self.with(move |connection| read::sweeps(connection, &query)).await
    }

    /// A page of jobs, newest first, and whether there are older ones.
    pub(crate) async fn list(&self, query: ListJobs) -> Result<(Vec<Job>, bool), StoreError> {
        self.with(move |connection| read::list(connection, &query)).await
    }

    /// The money of a month by owner, in US dollars: of all jobs there are and of those that were removed, the attempts
    /// that run included up to when they were last saved.
    pub(crate) async fn spent(&self, month: Month) -> Result<BTreeMap<String, f64>, StoreError> {
        self.with(move |connection| spend::by_owner(connection, month)).await
    }

    /// What was spent, summed as the question says: in the order of the groups, within one the dearest first.
    pub(crate) async fn cost(&self, query: GetCost) -> Result<Vec<CostLine>, StoreError> {
        self.with(move |connection| spend::cost(connection, &query)).await
    }

    /// A page of a job's history; `None` when there is no such job.
    pub(crate) async fn history(&self, query: GetHistory) -> Result<Option<History>, StoreError> {
        self.with(move |connection| read::history(connection, &query)).await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = self.connection.clone();
        blocking(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// Runs on a thread that may block, and passes a panic on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests;
