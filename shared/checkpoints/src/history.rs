//! The history of a job's checkpoints.

#[cfg(test)]
mod tests;

use contract::{
    JobId, Timestamp,
    checkpoints::{CommitCheckpoint, ListedCheckpoint, Manifest},
};

use crate::{
    HistoryError, ObjectStore, StoreError, keys,
    log::{Change, Entry, Head, Log},
};

/// How often a change is tried again because others were faster; each time one of them succeeded.
pub(crate) const TURNS: usize = 100;
/// The token of a job's first attempt. There is nothing before it to go on from, so its first commit may open the
/// history, and a job that leaves no checkpoint leaves no history either.
pub const FIRST_TOKEN: u32 = 1;

/// One job's history. Any number of processes may use it at once.
#[derive(Debug)]
pub struct History {
    pub(crate) store: ObjectStore,
    pub(crate) job: JobId,
    pub(crate) log: Log,
}

impl History {
    /// The history of `job` in `store`; nothing is read yet.
    pub fn of(store: ObjectStore, job: JobId) -> Self {
        let log = Log { store: store.clone(), job: job.clone() };
        Self { store, job, log }
    }

    /// Registers `token` as the newest and returns the newest checkpoint that verifies, with what was passed over.
    /// Opening twice with one token is opening once.
    ///
    /// # Errors
    /// [`HistoryError::Fenced`] when a newer token has opened it.
    pub async fn open(&self, token: u32) -> Result<(Option<Manifest>, Vec<String>), HistoryError> {
        // Written, then looked at: only what the head says counts.
        for _ in 0..TURNS {
            let head = self.log.head().await?;
            match self.judge_open(&head.entry, token)? {
                Judgement::Stands(()) => {
                    self.log.settle().await?;
                    return Ok(self.newest_whole(&head).await?);
                }
                Judgement::Write(entry) => self.log.append(&head, &entry).await?,
            }
        }
        Err(StoreError::Contended { job: self.job.clone() }.into())
    }

    /// Verifies the bytes and writes the manifest: that write is the commit. Committing one file twice is one commit.
    /// The first attempt need not have opened the history: its first commit does.
    ///
    /// # Errors
    /// [`HistoryError::Fenced`] when a newer token has opened the history, [`StoreError::Damaged`] when the bytes are
    /// not as described.
    pub async fn commit(&self, commit: &CommitCheckpoint) -> Result<Manifest, HistoryError> {
        if commit.job_id != self.job || !keys::is_checkpoint(&self.job, &commit.key) {
            return Err(HistoryError::Foreign { job: self.job.clone(), key: commit.key.clone() });
        }
        let manifest = manifest_of(commit);
        let mut read = false;
        for _ in 0..TURNS {
            let head = self.log.head().await?;
            match self.judge_commit(&head.entry, &manifest)? {
                Judgement::Stands(manifest) => {
                    self.log.settle().await?;
                    return Ok(manifest);
                }
                Judgement::Write(entry) => {
                    // The bytes are read once. They never change, but after any change of the history they may be
                    // gone: whoever removes a file writes that down before.
                    if read {
                        self.store.expect_present(&manifest).await?;
                    } else {
                        self.store.verify(&manifest).await?;
                        read = true;
                    }
                    self.log.append(&head, &entry).await?;
                }
            }
        }
        Err(StoreError::Contended { job: self.job.clone() }.into())
    }

    /// All checkpoints, newest first; with `verify`, each one's damage.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, verify: bool) -> Result<Vec<ListedCheckpoint>, StoreError> {
        let head = self.log.head().await?;
        let mut listed = Vec::with_capacity(head.entry.checkpoints.len());
        for manifest in head.entry.checkpoints.into_iter().rev() {
            let damage = if verify { self.damage(&manifest).await? } else { None };
            listed.push(ListedCheckpoint { manifest, damage });
        }
        Ok(listed)
    }

    /// The newest checkpoint whose bytes verify, and what is wrong with newer ones.
    async fn newest_whole(&self, head: &Head) -> Result<(Option<Manifest>, Vec<String>), StoreError> {
        let mut damaged = Vec::new();
        for manifest in head.entry.checkpoints.iter().rev() {
            match self.damage(manifest).await? {
                None => return Ok((Some(manifest.clone()), damaged)),
                Some(damage) => damaged.push(damage),
            }
        }
        Ok((None, damaged))
    }

    async fn damage(&self, manifest: &Manifest) -> Result<Option<String>, StoreError> {
        match self.store.verify(manifest).await {
            Ok(()) => Ok(None),
            Err(damage @ StoreError::Damaged { .. }) => Ok(Some(damage.to_string())),
            Err(error) => Err(error),
        }
    }

    fn judge_open(&self, head: &Entry, token: u32) -> Result<Judgement<()>, HistoryError> {
        if head.newest_token == token {
            return Ok(Judgement::Stands(()));
        }
        self.expect_newest(head, token)?;
        let change = Change::Opened { token };
        Ok(Judgement::Write(Entry { newest_token: token, ..head.after(change) }))
    }

    fn judge_commit(&self, head: &Entry, manifest: &Manifest) -> Result<Judgement<Manifest>, HistoryError> {
        // One that stands stays true, whoever has opened the history since.
        if let Some(standing) = head.checkpoints.iter().find(|standing| is_same(standing, manifest)) {
            return Ok(Judgement::Stands(standing.clone()));
        }
        let token = manifest.token;
        self.expect_newest(head, token)?;
        if head.newest_token < token && token != FIRST_TOKEN {
            return Err(HistoryError::NotOpened { job: self.job.clone(), token });
        }
        if head.leaving.contains(&manifest.key) {
            let problem = "it was given up and is being removed";
            return Err(StoreError::damaged(&manifest.key, problem).into());
        }
        let own = head.checkpoints.iter().filter(|standing| standing.token == token);
        if let Some(newest) = own.map(|own| own.step).max().filter(|newest| manifest.step < *newest) {
            return Err(HistoryError::Late { job: self.job.clone(), token, step: manifest.step, newest });
        }
        let change = Change::Committed { token, step: manifest.step, key: manifest.key.clone() };
        let mut entry = Entry { newest_token: token, ..head.after(change) };
        entry.checkpoints.push(Manifest { committed_at: entry.at, ..manifest.clone() });
        Ok(Judgement::Write(entry))
    }

    fn expect_newest(&self, head: &Entry, token: u32) -> Result<(), HistoryError> {
        let newest = head.newest_token;
        if newest <= token {
            return Ok(());
        }
        Err(HistoryError::Fenced { job: self.job.clone(), token, newest })
    }
}

/// What is to be done about a wish, as the history stands.
enum Judgement<T> {
    /// Nothing: it is so already.
    Stands(T),
    /// This is to be the next entry.
    Write(Entry),
}

impl Entry {
    /// The next entry, before what the change does to it.
    pub(crate) fn after(&self, change: Change) -> Self {
        Self { change, at: Timestamp::now(), ..self.clone() }
    }
}

/// Whether two are one commit: the same file, or the same state written twice.
fn is_same(a: &Manifest, b: &Manifest) -> bool {
    let state = |manifest: &Manifest| (manifest.token, manifest.step, manifest.role, manifest.bytes);
    a.key == b.key || (state(a) == state(b) && a.blake3 == b.blake3)
}

fn manifest_of(commit: &CommitCheckpoint) -> Manifest {
    let CommitCheckpoint { job_id, token, step, role, key, bytes, blake3, metrics } = commit.clone();
    Manifest { job_id, token, step, role, key, bytes, blake3, metrics, committed_at: Timestamp::now() }
}
