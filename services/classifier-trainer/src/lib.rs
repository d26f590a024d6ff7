//! The `classifier` workload: a ResNet trained on a folder of images.
//!
//! `train` is the loop, from top to bottom; what it calls stands beside it. A run that is stopped at any step and
//! resumed ends with the same bytes as one that was not.

mod attempt;
mod checkpoint;
mod data;
mod failure;
mod history;
mod init_from;
mod ladder;
mod memory;
mod model;
mod outcome;
mod pace;
mod pictures;
mod plan;
mod state;
mod step;
mod train;
mod validation;

use std::sync::Arc;

use contract::{Workload, classifier, events::RunResult};
use worker::{Control, Run, RunError, Trainer};

pub use memory::{Demand, DeviceMemory, Memory, Work};
pub use model::{ResNet, ResNetConfig};
pub use step::{StepOptions, StepOutcome, train_step};

/// The trainer.
#[derive(Debug, Clone)]
pub struct Classifier {
    /// How many threads a run computes with on the CPU, unless it goes on from a checkpoint: the last bits depend on
    /// their number, so a resumed run keeps the number that it began with.
    pub threads: u32,
    /// The memory that runs compute in.
    pub memory: Arc<dyn Memory>,
}

impl Classifier {
    /// A trainer on the device that there is.
    pub fn new(threads: u32) -> Self {
        Self { threads, memory: Arc::new(DeviceMemory(torch::device())) }
    }
}

impl Trainer for Classifier {
    fn workload(&self) -> Workload {
        classifier::WORKLOAD.parse().expect("the workload's name is a valid one")
    }

    fn run(&self, run: &Run, control: &mut dyn Control) -> Result<RunResult, RunError> {
        attempt::run(run, self.threads, &*self.memory, control)
    }
}
