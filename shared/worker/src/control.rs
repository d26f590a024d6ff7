//! The trainer's one door outward.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use contract::{
    Failure, StopCause, Workload,
    checkpoints::{CheckpointRole, Manifest},
    events::RunResult,
    lease::{Grant, Progress},
};

/// A kind of work: a loop that computes, and nothing of messages.
pub trait Trainer: Send + Sync + 'static {
    /// The work it does.
    fn workload(&self) -> Workload;

    /// Loads and prepares what a first step would have to wait for. Called once, on a thread of its own, when a worker has
    /// waited a moment and there is nothing to run. A panic is logged, and no more.
    fn warm_up(&self) {}

    /// Does one attempt, on a thread of its own, from `run.resume` or from the start.
    ///
    /// # Errors
    /// [`RunError::Stopped`] after [`Control::stop`] said so; [`RunError::Failed`] with the class that decides what
    /// happens next. A panic counts as a transient failure.
    fn run(&self, run: &Run, control: &mut dyn Control) -> Result<RunResult, RunError>;
}

/// One attempt, as the trainer gets it.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was granted: job, attempt, parameters.
    pub grant: Grant,
    /// The checkpoint to go on from, already verified.
    pub resume: Option<Resume>,
    /// A folder of this job's own on this machine, for scratch files; metrics and pictures go there too.
    pub folder: PathBuf,
    /// The folders below which the job may read.
    pub data_roots: Vec<PathBuf>,
}

/// A verified checkpoint on this machine's disk.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

/// A state to be written beside the training: whatever `write` needs was copied before.
pub struct Snapshot {
    /// Steps finished.
    pub step: u64,
    /// What to keep it for.
    pub role: CheckpointRole,
    /// Figures at that step; only finite ones.
    pub metrics: BTreeMap<String, f64>,
    /// How long training stood still for the copy.
    pub pause: Duration,
    /// Writes the file.
    pub write: Write,
}

/// Writes a state's file, on a background thread; called again, for another file, when the first could not be kept.
pub type Write = Box<dyn FnMut(&Path) -> anyhow::Result<()> + Send>;

/// How a trainer tells and hears. Every call returns at once, [`Control::flush`] excepted.
pub trait Control {
    /// Tells how far the run is: after every step. The watchdog counts from the last call.
    fn report(&mut self, progress: Progress);

    /// Whether a checkpoint should be taken now: the interval has passed and none is being written.
    fn checkpoint_due(&self) -> bool;

    /// Hands over a state to be written and committed in the background, after those handed over before. The newest
    /// periodic one replaces one that still waits.
    fn checkpoint(&mut self, snapshot: Snapshot);

    /// Waits until everything handed over is committed.
    ///
    /// # Errors
    /// When one could not be: the failure's class says whether another attempt can mend it.
    fn flush(&mut self) -> Result<(), RunError>;

    /// Whether, and why, the run must stop. For a cause that wants it, hand over a checkpoint and flush first.
    fn stop(&self) -> Option<StopCause>;

    /// Tells figures at a step, such as an epoch's losses; those that are not finite are left out.
    fn metrics(&mut self, step: u64, metrics: BTreeMap<String, f64>);

    /// Tells a line for people.
    fn note(&mut self, note: String);

    /// Keeps a file of the run's folder in the object store under `name`. It is part of the result.
    ///
    /// # Errors
    /// When it cannot be read or stored.
    fn artifact(&mut self, name: &str, file: &Path) -> Result<(), RunError>;
}

/// Why a run ended before its work was done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It was told to.
    #[error("stopped: {}", .0.as_str())]
    Stopped(StopCause),
    /// It could not go on.
    #[error(transparent)]
    Failed(#[from] Failure),
}
