//! The `dit` workload: a diffusion transformer trained to generate images of the classes in a folder.
//!
//! `train` is the loop, from top to bottom; what it calls stands beside it. `flow` is the objective, `sample` how images
//! come out of it. A run that is stopped at any step and resumed ends with the same bytes as one that was not.

mod checkpoint;
mod flow;
mod history;
mod model;
mod outcome;
mod plan;
mod recorded;
mod sample;
mod state;
mod step;
mod train;
mod validation;
mod warm_up;

use std::sync::Arc;

use contract::{
    Failure, Workload,
    dit::{self, DitParams},
    events::RunResult,
    params::WorkloadParams,
};
use training::{DeviceMemory, Ladder, LeastPart, Memory, attempt};
use worker::{Control, Run, RunError, Trainer};

pub use checkpoint::Generator;
pub use flow::{Draw, Drawing};
pub use model::{Dit, DitConfig, patchify, unpatchify};
pub use recorded::{RecordedSteps, recorded_step};
pub use sample::{Sampler, noise, pictures};
pub use step::{StepOptions, StepOutcome, train_step};

/// Nothing looks at two images together.
const LEAST_PART: LeastPart = LeastPart { images: 1, reason: "and there are no fewer" };

/// The trainer.
#[derive(Debug, Clone)]
pub struct DitTrainer {
    /// How many threads a run computes with on the CPU, unless it goes on from a checkpoint: the last bits depend on
    /// their number, so a resumed run keeps the number that it began with.
    pub threads: u32,
    /// The memory that runs compute in.
    pub memory: Arc<dyn Memory>,
    /// Whether steps are recorded and replayed, as CUDA graphs on a GPU; what they come to is the same.
    pub cuda_graphs: bool,
}

impl DitTrainer {
    /// A trainer on the device that there is.
    pub fn new(threads: u32) -> Self {
        Self { threads, memory: Arc::new(DeviceMemory(torch::device())), cuda_graphs: false }
    }
}

impl Trainer for DitTrainer {
    fn workload(&self) -> Workload {
        dit::WORKLOAD.parse().expect("the workload's name is a valid one")
    }

    fn warm_up(&self) {
        warm_up::warm_up(self.threads);
    }

    fn run(&self, run: &Run, control: &mut dyn Control) -> Result<RunResult, RunError> {
        let params =
            DitParams::parse(&run.grant.params).map_err(|error| Failure::permanent(error.to_string()))?;
        let ladder = Ladder::new(&*self.memory, params.batch_size, params.accumulation, LEAST_PART);
        attempt(&ladder, control, |control| train::train(run, &params, self, &ladder, control))
    }
}
