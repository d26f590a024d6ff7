//! Checkpoints in an object store: how bytes get there, and how a job's history is kept.
//!
//! A history is a numbered log, `jobs/<job>/log/<number>.json`, each entry written once by put-if-absent. An entry is
//! the whole history as it stands after one change: *opened by token t*, *checkpoint committed by token t*, or
//! *checkpoints removed*. Only the entry with the highest number counts, and whoever writes entry n+1 has seen entry
//! n; so a token that has been overtaken cannot slip a checkpoint in, whatever is partitioned, paused or slow. Bytes
//! lie at `jobs/<job>/data/…`; a file that the highest entry does not name is garbage.

mod damage;
mod error;
mod folder;
mod history;
mod keys;
mod log;
mod open;
mod removal;
mod retention;
mod scratch;
mod stage;
mod store;
mod upload;

pub use error::{HistoryError, StoreError};
pub use history::{FIRST_TOKEN, History};
pub use stage::{Staged, Uploaded};
pub use store::ObjectStore;
