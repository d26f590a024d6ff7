//! A worker's part towards a trainer, in one process and without broker or store, for tests: it writes down what a run
//! says and stops it where a test wants it.

pub mod images;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use contract::{
    Seconds, StopCause, Timestamp,
    checkpoints::{CheckpointRole, Manifest},
    events::RunResult,
    lease::{Grant, Progress},
};
use serde_json::Value;
use tempfile::TempDir;
use worker::{Control, Resume, Run, RunError, Snapshot, Trainer};

/// Where a run is told to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StopAt {
    /// It is not.
    Never,
    /// After so many steps of the job.
    Step(u64, StopCause),
    /// At the so many-th report of the attempt, which may come amid reading images or validation.
    Report(usize, StopCause),
    /// Once a figure of this name is as high as that.
    Figure(&'static str, f64, StopCause),
}

/// What a run said.
pub struct Recorder {
    stop_at: StopAt,
    checkpoint_at: BTreeSet<u64>,
    /// Checkpoints are large, so they go when the attempt is forgotten.
    folder: TempDir,
    /// What it reported.
    pub reports: Vec<Progress>,
    /// The checkpoints that it handed over: step and role.
    pub checkpoints: Vec<(u64, CheckpointRole)>,
    /// Where those were written that were written: the ones that were due, and the last.
    pub written: BTreeMap<u64, PathBuf>,
    /// The newest one, while it waits; a newer one takes its place, as in a worker.
    waiting: Option<Snapshot>,
    /// Figures, with their steps.
    pub metrics: Vec<(u64, BTreeMap<String, f64>)>,
    /// Lines for people.
    pub notes: Vec<String>,
    /// Files that it keeps, by name.
    pub artifacts: BTreeMap<String, PathBuf>,
}

impl Control for Recorder {
    fn report(&mut self, progress: Progress) {
        self.reports.push(progress);
    }

    fn checkpoint_due(&self) -> bool {
        self.reports.last().is_some_and(|progress| self.checkpoint_at.contains(&progress.step))
    }

    fn checkpoint(&mut self, snapshot: Snapshot) {
        self.checkpoints.push((snapshot.step, snapshot.role));
        let is_due = self.checkpoint_due() && snapshot.role == CheckpointRole::Periodic;
        self.waiting = Some(snapshot);
        if is_due {
            self.write();
        }
    }

    fn flush(&mut self) -> Result<(), RunError> {
        self.write();
        Ok(())
    }

    fn stop(&self) -> Option<StopCause> {
        match self.stop_at {
            StopAt::Never => None,
            StopAt::Step(step, cause) => self.reports.last().filter(|last| step <= last.step).map(|_| cause),
            StopAt::Report(count, cause) => (count <= self.reports.len()).then_some(cause),
            StopAt::Figure(name, least, cause) => self
                .metrics
                .iter()
                .any(|(_, figures)| figures.get(name).is_some_and(|&figure| least <= figure))
                .then_some(cause),
        }
    }

    fn metrics(&mut self, step: u64, metrics: BTreeMap<String, f64>) {
        self.metrics.push((step, metrics));
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn artifact(&mut self, name: &str, file: &Path) -> Result<(), RunError> {
        self.artifacts.insert(name.into(), file.into());
        Ok(())
    }
}

impl Recorder {
    fn write(&mut self) {
        if let Some(mut snapshot) = self.waiting.take() {
            let path = self.folder.path().join(format!("{}.safetensors", snapshot.step));
            (snapshot.write)(&path).expect("a checkpoint can be written");
            self.written.insert(snapshot.step, path);
        }
    }
}

/// A job with a folder of its own.
#[derive(Debug)]
pub struct Job<T> {
    /// Everything that the job has is in here.
    pub folder: TempDir,
    /// What runs it.
    pub trainer: T,
    /// How many micro-batches the scheduler says to begin with.
    pub micro_batches: Option<u32>,
    /// Folders besides its own that it may read.
    pub roots: Vec<PathBuf>,
    params: Value,
}

/// What an attempt came to.
pub struct Attempt {
    /// How it ended.
    pub outcome: Result<RunResult, RunError>,
    /// What it said.
    pub recorder: Recorder,
}

impl<T: Trainer> Job<T> {
    /// A job whose data is `images/` in its folder, yet to be filled, unless `params` name another.
    ///
    /// # Panics
    /// When `params` is no JSON object.
    pub fn new(trainer: T, mut params: Value) -> Self {
        params
            .as_object_mut()
            .expect("parameters are an object")
            .entry("data")
            .or_insert_with(|| "images".into());
        let folder = tempfile::tempdir().expect("there is room for a folder");
        Self { folder, params, trainer, micro_batches: None, roots: Vec::new() }
    }

    /// Another job on the same images.
    pub fn with(self, name: &str, value: Value) -> Self {
        let mut params = self.params.clone();
        params[name] = value;
        Self { params, ..self }
    }

    /// The same job, whose scheduler says how many micro-batches to begin with.
    pub fn granted(self, micro_batches: u32) -> Self {
        Self { micro_batches: Some(micro_batches), ..self }
    }

    /// Where its images are.
    pub fn images(&self) -> PathBuf {
        self.folder.path().join("images")
    }

    /// One attempt, from a checkpoint or from the start.
    pub fn attempt(&self, resume: Option<(u64, PathBuf)>, stop_at: StopAt) -> Attempt {
        self.attempt_with(resume, stop_at, BTreeSet::new())
    }

    /// One attempt during which checkpoints are due after some steps.
    pub fn attempt_with(
        &self,
        resume: Option<(u64, PathBuf)>,
        stop_at: StopAt,
        checkpoint_at: BTreeSet<u64>,
    ) -> Attempt {
        let folder = tempfile::tempdir_in(self.folder.path()).expect("there is room for a folder");
        let mut recorder = Recorder {
            stop_at,
            checkpoint_at,
            folder,
            reports: Vec::new(),
            checkpoints: Vec::new(),
            written: BTreeMap::new(),
            waiting: None,
            metrics: Vec::new(),
            notes: Vec::new(),
            artifacts: BTreeMap::new(),
        };
        let outcome = self.trainer.run(&self.run(resume), &mut recorder);
        recorder.write();
        Attempt { outcome, recorder }
    }

    fn run(&self, resume: Option<(u64, PathBuf)>) -> Run {
        let seconds = |seconds| Seconds::new(seconds).expect("a limit is positive");
        let grant = Grant {
            job_id: "test".parse().expect("a name"),
            attempt: 1,
            workload: self.trainer.workload(),
            profile: None,
            params: self.params.as_object().expect("parameters are an object").clone(),
            labels: BTreeMap::new(),
            fresh_after: 0,
            run_limit: seconds(3600.0),
            run_limit_cause: StopCause::Timeout,
            grace: seconds(30.0),
            checkpoint_interval: seconds(60.0),
            hang_limit: seconds(300.0),
            usd_per_hour: 0.05,
            micro_batches: self.micro_batches,
        };
        let resume = resume.map(|(step, path)| Resume {
            manifest: Manifest {
                job_id: grant.job_id.clone(),
                token: 1,
                step,
                role: CheckpointRole::Periodic,
                key: String::new(),
                bytes: 0,
                blake3: String::new(),
                metrics: BTreeMap::new(),
                committed_at: Timestamp::now(),
            },
            path,
        });
        let folder = self.folder.path().join("run");
        std::fs::create_dir_all(&folder).expect("there is room for a folder");
        Run { grant, resume, folder, data_roots: [&[self.folder.path().into()], &self.roots[..]].concat() }
    }
}

impl Attempt {
    /// The newest checkpoint, to go on from.
    pub fn latest(&self) -> Option<(u64, PathBuf)> {
        self.recorder.written.last_key_value().map(|(step, path)| (*step, path.clone()))
    }

    /// The bytes of the final checkpoint.
    ///
    /// # Panics
    /// When the run did not end well.
    pub fn final_bytes(&self) -> Vec<u8> {
        if let Err(error) = &self.outcome {
            panic!("the run did not end: {error}");
        }
        let (step, role) = self.recorder.checkpoints.last().expect("a run ends with a checkpoint");
        assert_eq!(*role, CheckpointRole::Final);
        std::fs::read(&self.recorder.written[step]).expect("it was written")
    }

    /// Why it failed.
    ///
    /// # Panics
    /// When it did not.
    pub fn failure(&self) -> &contract::Failure {
        match &self.outcome {
            Err(RunError::Failed(failure)) => failure,
            Err(RunError::Stopped(cause)) => panic!("stopped: {cause:?}"),
            Ok(_) => panic!("the run succeeded"),
        }
    }
}
