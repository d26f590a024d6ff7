//! Generating images from a checkpoint: what the program `dit-sample` is asked for on its standard input, as one JSON
//! object, and the lines that it answers with on its standard output.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DitParams, Solver};
use crate::params::{ParamsError, is_up_to, right};

/// Which images to generate, from what, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRequest {
    /// The file of a checkpoint.
    pub checkpoint: PathBuf,
    /// The classes to generate, by name; all of them when there is none.
    #[serde(default)]
    pub classes: Vec<String>,
    /// How many images of each class.
    pub count: u32,
    /// A PNG to be written, with a row for each class; or, with `each`, a folder.
    pub output: PathBuf,
    /// Whether each image becomes a PNG of its own, in a folder for each class.
    #[serde(default)]
    pub each: bool,
    /// The seed of the noise; absent, the job's.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How strongly images are drawn towards their class; absent, as the job says.
    #[serde(default)]
    pub guidance: Option<f64>,
    /// How a step is taken; absent, as the job says.
    #[serde(default)]
    pub solver: Option<Solver>,
    /// Steps from noise to image; absent, as the job says.
    #[serde(default)]
    pub solver_steps: Option<u32>,
}

/// How far the generating is: a line of its own each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleProgress {
    /// Steps done, over all batches of images.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

impl SampleRequest {
    /// A job's parameters with what is asked for otherwise.
    ///
    /// # Errors
    /// Names what is out of range.
    pub fn applied_to(&self, params: &DitParams) -> Result<DitParams, ParamsError> {
        let asked = DitParams {
            seed: self.seed.unwrap_or(params.seed),
            guidance: self.guidance.unwrap_or(params.guidance),
            solver: self.solver.unwrap_or(params.solver),
            solver_steps: self.solver_steps.unwrap_or(params.solver_steps),
            ..params.clone()
        };
        right((1..=10_000).contains(&self.count), "count", self.count, "1 to 10,000")?;
        validate(asked.solver_steps, asked.guidance)?;
        Ok(asked)
    }
}

/// Checks how images are generated.
pub(super) fn validate(solver_steps: u32, guidance: f64) -> Result<(), ParamsError> {
    right((1..=1000).contains(&solver_steps), "solver_steps", solver_steps, "1 to 1,000")?;
    right(is_up_to(100.0, guidance), "guidance", guidance, "0 to 100")
}
