//! Removing a job from the store for good.

use contract::checkpoints::Removed;
use futures::TryStreamExt;
use object_store::ObjectMeta;

use crate::{
    History, HistoryError, StoreError,
    folder::{blocking, remove_folder},
    keys,
};

impl History {
    /// Removes everything that the job has in the store, the log last: what a process that died in the middle has left
    /// over can be removed again. A job that has nothing here is removed already.
    ///
    /// # Errors
    /// [`HistoryError::Fenced`] when a newer attempt than `token` has opened the history: the job goes on.
    pub async fn remove(&self, token: u32) -> Result<Removed, HistoryError> {
        let newest = self.log.head().await?.entry.newest_token;
        if token < newest {
            return Err(HistoryError::Fenced { job: self.job.clone(), token, newest });
        }
        let mut objects = self.objects().await?;
        objects.sort_unstable_by_key(|object| keys::entry_number(&object.location));
        let bytes = objects.iter().map(|object| object.size).sum();
        let count = objects.len() as u64;
        for object in objects {
            self.store.remove(object.location).await?;
        }
        self.remove_folder().await?;
        Ok(Removed { objects: count, bytes })
    }

    async fn objects(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        let folder = keys::job(&self.job);
        let objects = self.store.objects().list(Some(&folder)).try_collect().await;
        objects.map_err(|error| StoreError::of("list", folder, error))
    }

    /// A store that is a folder keeps empty ones, and the litter of processes that were killed.
    async fn remove_folder(&self) -> Result<(), StoreError> {
        let folder = keys::job(&self.job);
        let Some(path) = self.store.local_path(folder.as_ref()) else { return Ok(()) };
        blocking(move || remove_folder(&path)).await.map_err(|error| StoreError::of("remove", folder, error))
    }
}
