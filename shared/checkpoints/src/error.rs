//! What can go wrong, by what a caller can do about it.

use std::{error::Error, io};

use contract::JobId;

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
    /// Too many others add to the same history; trying again may mend it.
    #[error("the history of job {job} is being changed by too many at once; try again")]
    Contended {
        /// The job.
        job: JobId,
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

impl StoreError {
    /// The object store failed at `action` on `key`.
    pub(crate) fn of(action: &'static str, key: impl ToString, error: impl Into<Cause>) -> Self {
        let (key, Cause(error)) = (key.to_string(), error.into());
        if is_full(&error) { Self::Full { key } } else { Self::Io { action, key, error } }
    }

    /// The bytes of `key` are not those that were committed.
    pub(crate) fn damaged(key: impl ToString, problem: impl Into<String>) -> Self {
        Self::Damaged { key: key.to_string(), problem: problem.into() }
    }
}

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
    /// The attempt has committed a later step already; this one was held up on its way.
    #[error("step {step} of job {job} comes too late: attempt {token} has already committed step {newest}")]
    Late {
        /// The job.
        job: JobId,
        /// Who asked.
        token: u32,
        /// What it wants to commit.
        step: u64,
        /// What it has committed.
        newest: u64,
    },
    /// The file is not one of the job's own.
    #[error("{key:?} is no checkpoint of job {job}; its files lie below \"jobs/{job}/data/\"")]
    Foreign {
        /// The job.
        job: JobId,
        /// What was named.
        key: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the object store failed.
pub(crate) struct Cause(object_store::Error);

impl From<object_store::Error> for Cause {
    fn from(error: object_store::Error) -> Self {
        Self(error)
    }
}

impl From<object_store::path::Error> for Cause {
    fn from(error: object_store::path::Error) -> Self {
        Self(error.into())
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self(object_store::Error::Generic { store: "folder", source: error.into() })
    }
}

/// Whether a full disk, or a used-up quota, is at the bottom of it.
fn is_full(error: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}
