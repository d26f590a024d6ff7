//! The numbered log: only its highest entry counts.

use contract::{JobId, Timestamp, checkpoints::Manifest};
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use crate::{
    ObjectStore, StoreError,
    folder::{blocking, sync_names},
    keys,
};

/// The form of an entry that this release writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// A job's history as it stands after one change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Which form this is.
    pub(crate) format: u32,
    /// What changed, for people.
    pub(crate) change: Change,
    /// When, for people.
    pub(crate) at: Timestamp,
    /// The newest attempt that has opened the history; 0 before the first.
    pub(crate) newest_token: u32,
    /// The checkpoints, oldest first.
    pub(crate) checkpoints: Vec<Manifest>,
    /// Files that are being removed and can never be committed again.
    pub(crate) leaving: Vec<String>,
}

/// What an entry adds to the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// Nothing: there is no entry yet.
    None,
    /// An attempt opened the history.
    Opened { token: u32 },
    /// An attempt committed a checkpoint.
    Committed { token: u32, step: u64, key: String },
    /// Files were given up.
    Removed { keys: Vec<String> },
}

/// The highest entry and its number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    /// 0 when there is no entry yet.
    pub(crate) number: u64,
    pub(crate) entry: Entry,
}

impl Entry {
    /// The entry before the first.
    fn nothing() -> Self {
        Self {
            format: FORMAT,
            change: Change::None,
            at: Timestamp::default(),
            newest_token: 0,
            checkpoints: Vec::new(),
            leaving: Vec::new(),
        }
    }
}

/// One job's log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) store: ObjectStore,
    pub(crate) job: JobId,
}

impl Log {
    /// The highest entry.
    pub(crate) async fn head(&self) -> Result<Head, StoreError> {
        loop {
            let Some(number) = self.numbers().await?.into_iter().max() else {
                return Ok(Head { number: 0, entry: Entry::nothing() });
            };
            // An entry that is gone by now was not the highest any more.
            if let Some(entry) = self.entry(number).await? {
                return Ok(Head { number, entry });
            }
        }
    }

    /// Tries to make `entry` the one after `head`. Whether it did, the head alone can tell: of two that try, one
    /// succeeds; one that comes with an old head may even write a number that was trimmed away, which nobody reads.
    pub(crate) async fn append(&self, head: &Head, entry: &Entry) -> Result<(), StoreError> {
        let location = keys::entry(&self.job, head.number + 1);
        let text = serde_json::to_vec_pretty(entry).expect("an entry is plain data");
        let options = PutOptions::from(PutMode::Create);
        match self.store.objects().put_opts(&location, text.into(), options).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(StoreError::of("write", &location, error)),
        }
    }

    /// Waits until what was read is durable: another process may have written it and not yet have synced its name.
    pub(crate) async fn settle(&self) -> Result<(), StoreError> {
        let log = keys::log(&self.job);
        let (Some(root), Some(folder)) = (self.store.root(), self.store.local_path(log.as_ref())) else {
            return Ok(());
        };
        let root = root.to_owned();
        let synced = blocking(move || sync_names(&root, &folder)).await;
        synced.map_err(|error| StoreError::of("sync", log, error))
    }

    /// Removes all but the `keep` highest entries.
    pub(crate) async fn trim(&self, keep: usize) -> Result<(), StoreError> {
        let mut numbers = self.numbers().await?;
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        for number in numbers.into_iter().skip(keep) {
            self.store.remove(keys::entry(&self.job, number)).await?;
        }
        Ok(())
    }

    async fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let folder = keys::log(&self.job);
        let entries = self.store.objects().list(Some(&folder));
        let numbers = entries.try_filter_map(|entry| async move { Ok(keys::entry_number(&entry.location)) });
        numbers.try_collect().await.map_err(|error| StoreError::of("list", folder, error))
    }

    async fn entry(&self, number: u64) -> Result<Option<Entry>, StoreError> {
        let location = keys::entry(&self.job, number);
        let bytes = match self.store.objects().get(&location).await {
            Ok(found) => found.bytes().await.map_err(|error| StoreError::of("read", &location, error))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(StoreError::of("read", &location, error)),
        };
        let unreadable = |problem: String| StoreError::damaged(&location, problem);
        let entry: Entry = serde_json::from_slice(&bytes).map_err(|error| {
            unreadable(format!(
                "it is no entry of a history ({error}); removing it goes back to the entry before"
            ))
        })?;
        if FORMAT < entry.format {
            let form = entry.format;
            return Err(unreadable(format!(
                "its form {form} is newer than {FORMAT}, the newest this release reads"
            )));
        }
        Ok(Some(entry))
    }
}
