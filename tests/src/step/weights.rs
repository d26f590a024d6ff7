//! Weights that remember every step.

use std::{fmt, fs, path::Path};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// A hash over the seed and every step since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights([u8; 32]);

/// What a checkpoint holds.
#[derive(Serialize, Deserialize)]
struct State {
    step: u64,
    weights: Weights,
}

impl Weights {
    /// The weights before the first step.
    pub fn initial(seed: u64) -> Self {
        Self(*blake3::hash(&seed.to_le_bytes()).as_bytes())
    }

    /// The weights after one more step.
    pub fn after(self, step: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(&step.to_le_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// The bytes of a checkpoint after `step` steps.
    pub(super) fn to_checkpoint(self, step: u64) -> Vec<u8> {
        serde_json::to_vec(&State { step, weights: self }).expect("a state is plain data")
    }

    /// Reads a checkpoint that must hold `step` steps.
    pub(super) fn from_checkpoint(path: &Path, step: u64) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let state: State = serde_json::from_slice(&bytes).context("the checkpoint is not a step's")?;
        ensure!(state.step == step, "the checkpoint holds step {}, its manifest says {step}", state.step);
        Ok(state.weights)
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
