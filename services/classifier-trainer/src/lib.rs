//! The `classifier` workload: a ResNet trained on a folder of images.
//!
//! `train` is the loop, from top to bottom; what it calls stands beside it. A run that is stopped at any step and
//! resumed ends with the same bytes as one that was not.

mod checkpoint;
mod history;
mod init_from;
mod model;
mod outcome;
mod pictures;
mod plan;
mod recorded;
mod state;
mod step;
mod train;
mod validation;
mod warm_up;

use std::sync::Arc;

use contract::{
    Failure, Workload,
    classifier::{self, ClassifierParams},
    events::RunResult,
    params::WorkloadParams,
};
use training::{DeviceMemory, Ladder, LeastPart, Memory, attempt};
use worker::{Control, Run, RunError, Trainer};

use plan::FEWEST_IMAGES;

pub use model::{ResNet, ResNetConfig};
pub use recorded::{RecordedSteps, recorded_step};
pub use step::{StepOptions, StepOutcome, train_step};

/// Batch normalisation takes its statistics from what goes through together.
const LEAST_PART: LeastPart = LeastPart { images: FEWEST_IMAGES, reason: "and batch normalisation needs 2" };

/// The trainer.
#[derive(Debug, Clone)]
pub struct Classifier {
    /// How many threads a run computes with on the CPU, unless it goes on from a checkpoint: the last bits depend on
    /// their number, so a resumed run keeps the number that it began with.
    pub threads: u32,
    /// The memory that runs compute in.
    pub memory: Arc<dyn Memory>,
    /// Whether steps are recorded and replayed, as CUDA graphs on a GPU; what they come to is the same.
    pub cuda_graphs: bool,
}

impl Classifier {
    /// A trainer on the device that there is.
    pub fn new(threads: u32) -> Self {
        Self { threads, memory: Arc::new(DeviceMemory(torch::device())), cuda_graphs: false }
    }
}

impl Trainer for Classifier {
    fn workload(&self) -> Workload {
        classifier::WORKLOAD.parse().expect("the workload's name is a valid one")
    }

    fn warm_up(&self) {
        warm_up::warm_up(self.threads);
    }

    fn run(&self, run: &Run, control: &mut dyn Control) -> Result<RunResult, RunError> {
        let params = ClassifierParams::parse(&run.grant.params)
            .map_err(|error| Failure::permanent(error.to_string()))?;
        let ladder = Ladder::new(&*self.memory, params.batch_size, params.accumulation, LEAST_PART);
        attempt(&ladder, control, |control| train::train(run, &params, self, &ladder, control))
    }
}
