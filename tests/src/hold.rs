//! A place where a run stands still until a test lets it go: so a test knows what the run is doing when it strikes.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::wait::wait_for;

/// What a run is doing when it holds still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It is about to compute a step.
    Step,
    /// It has written half of a checkpoint's file.
    Checkpoint,
}

/// One such place. Files in a folder carry the word between the test and the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Where the files are.
    pub folder: PathBuf,
    /// Doing what.
    pub part: Part,
    /// With so many steps finished.
    pub step: u64,
    /// In this attempt only.
    pub attempt: u32,
}

impl Hold {
    /// Stands still before computing the step after `step` in the first attempt.
    pub fn at_step(folder: &Path, step: u64) -> Self {
        Self { folder: folder.into(), part: Part::Step, step, attempt: 1 }
    }

    /// Stands still halfway through writing the checkpoint of `step` in the first attempt.
    pub fn in_checkpoint(folder: &Path, step: u64) -> Self {
        Self { folder: folder.into(), part: Part::Checkpoint, step, attempt: 1 }
    }

    /// The same in another attempt.
    pub fn of_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// Waits until the run stands here.
    pub async fn reached(&self) {
        let file = self.file("reached");
        wait_for(&format!("{} to appear", file.display()), async || file.exists().then_some(())).await;
    }

    /// Lets the run go on.
    pub fn release(&self) {
        fs::write(self.file("released"), "").expect("the hold's folder can be written");
    }

    /// Whether a run stands still here.
    pub(crate) fn is_at(&self, part: Part, step: u64, attempt: u32) -> bool {
        (self.part, self.step, self.attempt) == (part, step, attempt)
    }

    /// Stands still, on the run's own thread, until released or told to give up.
    pub(crate) fn wait(&self, give_up: impl Fn() -> bool) {
        fs::write(self.file("reached"), "").expect("the hold's folder can be written");
        let released = self.file("released");
        while !released.exists() && !give_up() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn file(&self, word: &str) -> PathBuf {
        let part = match self.part {
            Part::Step => "step",
            Part::Checkpoint => "checkpoint",
        };
        self.folder.join(format!("{part}-{}.{}.{word}", self.step, self.attempt))
    }
}
