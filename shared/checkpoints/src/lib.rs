//! Checkpoints in an object store: how bytes get there, and how a job's history is kept.
//!
//! A history is a numbered log, `jobs/<job>/log/<number>.json`, each entry written once by put-if-absent: either
//! *opened by token t* or *checkpoint committed by token t*. Whoever writes entry n+1 has seen all before it, so a
//! token that has been overtaken cannot slip a checkpoint in, whatever is partitioned, paused or slow. Bytes lie at
//! `jobs/<job>/data/…`; a file that no entry names is garbage.

mod history;
mod store;

pub use history::{History, HistoryError};
pub use store::{ObjectStore, Staged, StoreError, Uploaded};
