//! What is kept, and removing the rest.

use std::{collections::HashSet, time::Duration};

use contract::{
    Timestamp,
    checkpoints::{CheckpointRole, Manifest},
};
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, path::Path as Location};

use crate::{
    History, ObjectStore, StoreError,
    folder::{self, blocking},
    history::TURNS,
    keys,
    log::{Change, Entry},
};

/// How many entries of the log stay, for people who want to know what happened.
const KEPT_ENTRIES: usize = 16;

/// Which files are given up.
#[derive(Debug, Clone, Copy)]
enum Surplus<'a> {
    /// Checkpoints that retention does not keep.
    Checkpoints { keep_last: u32 },
    /// Those of these files that the history does not name.
    Unnamed(&'a [String]),
}

impl History {
    /// Removes what retention does not keep: all but the last `keep_last` periodic ones, the newest best, the final.
    /// The newest checkpoint, and the newest that is there in full length, always stay.
    ///
    /// # Errors
    /// When the store cannot be read or written; what was not removed is removed the next time.
    pub async fn prune(&self, keep_last: u32) -> Result<(), StoreError> {
        self.give_up(Surplus::Checkpoints { keep_last }).await?;
        self.log.trim(KEPT_ENTRIES).await
    }

    /// Removes files that the history does not name and that were written before `age` ago: uploads that were never
    /// committed. Returns how many.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn sweep(&self, age: Duration) -> Result<usize, StoreError> {
        if let Some(log) = self.store.local_path(keys::log(&self.job).as_ref()) {
            let artifacts = log.with_file_name("artifacts");
            let cleared = blocking(move || {
                // What a process that was killed in the middle of a put leaves behind.
                folder::clear(&log, age, |name| name.contains('#'))?;
                folder::clear(&artifacts, age, |name| name.contains('#'))
            });
            cleared.await.map_err(|error| StoreError::of("sweep", keys::log(&self.job), error))?;
        }
        let old = self.files_older_than(age).await?;
        if old.is_empty() {
            return Ok(0);
        }
        let removed = self.give_up(Surplus::Unnamed(&old)).await?;
        Ok(old.iter().filter(|key| removed.contains(*key)).count())
    }

    /// Takes files out of the history, and then out of the store. In this order: what is written down as leaving
    /// cannot be committed any more, and what was not removed because this process died is removed by the next.
    async fn give_up(&self, surplus: Surplus<'_>) -> Result<HashSet<String>, StoreError> {
        let mut removed = HashSet::new();
        for _ in 0..TURNS {
            let head = self.log.head().await?;
            for key in &head.entry.leaving {
                self.store.remove(keys::parse(key)?).await?;
                removed.insert(key.clone());
            }
            let mut leaving = self.surplus(&head.entry, surplus).await?;
            leaving.retain(|key| !removed.contains(key));
            if leaving.is_empty() {
                return Ok(removed);
            }
            let mut entry = head.entry.after(Change::Removed { keys: leaving.clone() });
            entry.checkpoints.retain(|manifest| !leaving.contains(&manifest.key));
            entry.leaving = leaving;
            self.log.append(&head, &entry).await?;
        }
        Err(StoreError::Contended { job: self.job.clone() })
    }

    async fn surplus(&self, head: &Entry, surplus: Surplus<'_>) -> Result<Vec<String>, StoreError> {
        match surplus {
            Surplus::Unnamed(files) => {
                let named: HashSet<_> = head.checkpoints.iter().map(|manifest| &manifest.key).collect();
                Ok(files.iter().filter(|key| !named.contains(key)).cloned().collect())
            }
            Surplus::Checkpoints { keep_last } => {
                let kept = kept(&head.checkpoints, keep_last);
                let whole = self.newest_present(&head.checkpoints, &kept).await?;
                let leaving =
                    (0..head.checkpoints.len()).filter(|at| !kept.contains(at) && Some(*at) != whole);
                Ok(leaving.map(|at| head.checkpoints[at].key.clone()).collect())
            }
        }
    }

    /// The newest checkpoint that is there in full length. Asked only when something would be removed.
    async fn newest_present(
        &self,
        checkpoints: &[Manifest],
        kept: &HashSet<usize>,
    ) -> Result<Option<usize>, StoreError> {
        if kept.len() == checkpoints.len() {
            return Ok(None);
        }
        for (at, manifest) in checkpoints.iter().enumerate().rev() {
            match self.store.expect_present(manifest).await {
                Ok(()) => return Ok(Some(at)),
                Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn files_older_than(&self, age: Duration) -> Result<Vec<String>, StoreError> {
        let folder = keys::data(&self.job);
        let now = Timestamp::now();
        let files = self.store.objects().list(Some(&folder)).try_filter_map(|file| async move {
            let written = Timestamp(u64::try_from(file.last_modified.timestamp_millis()).unwrap_or(0));
            Ok((age < now.since(written)).then(|| file.location.to_string()))
        });
        files.try_collect().await.map_err(|error| StoreError::of("list", folder, error))
    }
}

impl ObjectStore {
    /// Removes an object; one that is not there is removed already.
    pub(crate) async fn remove(&self, location: Location) -> Result<(), StoreError> {
        match self.objects().delete(&location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::of("remove", location, error)),
        }
    }
}

/// Which of the checkpoints, oldest first, retention keeps.
fn kept(checkpoints: &[Manifest], keep_last: u32) -> HashSet<usize> {
    let newest = |role: CheckpointRole, count: usize| {
        let of_role = move |at: &usize| checkpoints[*at].role == role;
        (0..checkpoints.len()).rev().filter(of_role).take(count)
    };
    newest(CheckpointRole::Periodic, keep_last as usize)
        .chain(newest(CheckpointRole::Best, 1))
        .chain(newest(CheckpointRole::Final, 1))
        .chain(checkpoints.len().checked_sub(1))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contract::JobId;

    use super::*;

    /// `roles` reads oldest first: p for periodic, b for best, f for final; the kept ones come back, the others as dots.
    fn check(roles: &str, keep_last: u32, expected: &str) {
        let role_of = |letter| match letter {
            'b' => CheckpointRole::Best,
            'f' => CheckpointRole::Final,
            _ => CheckpointRole::Periodic,
        };
        let manifest = |role| Manifest {
            job_id: JobId::new("j").unwrap(),
            token: 1,
            step: 1,
            role,
            key: String::new(),
            bytes: 0,
            blake3: String::new(),
            metrics: BTreeMap::new(),
            committed_at: Timestamp(0),
        };
        let checkpoints: Vec<_> = roles.chars().map(role_of).map(manifest).collect();
        let kept = kept(&checkpoints, keep_last);
        let shown =
            roles.chars().enumerate().map(|(at, letter)| if kept.contains(&at) { letter } else { '.' });
        assert_eq!(shown.collect::<String>(), expected, "{roles} keeping {keep_last}");
    }

    #[test]
    fn the_last_few_the_newest_best_and_the_final_one_are_kept() {
        check("", 3, "");
        check("pp", 3, "pp");
        check("ppppp", 3, "..ppp");
        check("pbpbppp", 2, "...b.pp");
        check("bpppf", 1, "b..pf");
        check("pfpf", 1, "..pf");
        check("ppp", 0, "..p");
        check("bbp", 0, ".bp");
    }
}
