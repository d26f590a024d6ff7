//! Training steps that are recorded once and replayed from then on, for networks so small that launching a step's kernels
//! costs more than their work. They come to the same bytes as other steps.

use tch::{Device, Tensor};
use torch::Recording;

/// Steps of one network with one optimiser, which must outlive this. Each reads `N` tensors and comes to `O`; `M` says how it
/// is taken, as far as that is the same from step to step.
#[derive(Debug)]
pub struct RecordedSteps<M, O, const N: usize> {
    device: Device,
    manner: Option<M>,
    recording: Recording<O>,
    /// What it reads, where it was recorded.
    inputs: Option<[Tensor; N]>,
}

impl<M: PartialEq, O, const N: usize> RecordedSteps<M, O, N> {
    /// Nothing is recorded yet.
    pub fn new(device: Device) -> Self {
        Self { device, manner: None, recording: Recording::new(device), inputs: None }
    }

    /// Whether steps that are taken so can be replayed, or are to be taken in [`Self::warm_up`] yet. What was recorded of
    /// steps that are taken in another way is forgotten.
    pub fn is_warm_for(&mut self, manner: M) -> bool {
        if self.manner.as_ref() != Some(&manner) {
            *self = Self { manner: Some(manner), ..Self::new(self.device) };
        }
        !self.recording.is_warming_up()
    }

    /// Takes a step where steps will be recorded.
    pub fn warm_up<R>(&mut self, step: impl FnOnce() -> R) -> R {
        self.recording.warm_up(step)
    }

    /// Forgets what was recorded.
    pub fn forget(&mut self) {
        *self = Self::new(self.device);
    }

    /// Takes a step from the recording, which is made the first time. The next step overwrites what this one comes to.
    ///
    /// # Panics
    /// As `step` does, and when inputs change their shapes.
    pub fn replay(&mut self, inputs: [&Tensor; N], step: impl FnOnce(&[Tensor; N]) -> O) -> &O {
        let held = match &mut self.inputs {
            Some(held) => {
                for (held, input) in held.iter_mut().zip(inputs) {
                    assert_eq!(held.size(), input.size(), "batches are of one size");
                    held.copy_(input);
                }
                held
            }
            none => none.insert(inputs.map(Tensor::copy)),
        };
        self.recording.run(|| step(held))
    }
}
