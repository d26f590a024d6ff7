//! Training steps that are recorded once and replayed from then on, for networks so small that launching a step's kernels
//! costs more than their work. They come to the same bytes as other steps.

use tch::{Device, Tensor};
use torch::{AdamW, Recording};
use training::Work;

use crate::{
    ResNet, StepOptions, StepOutcome,
    step::{study, train_step},
};

/// Steps of one network with one optimiser, which must outlive this.
#[derive(Debug)]
pub struct RecordedSteps {
    device: Device,
    /// How the steps are taken that are recorded; their learning rates differ.
    manner: Option<StepOptions>,
    /// Forward, backward, clipping, AdamW.
    recording: Recording<StepOutcome>,
    /// What it reads: images (N, 3, H, W), normalised, and labels (N).
    inputs: Option<(Tensor, Tensor)>,
}

impl RecordedSteps {
    /// Nothing is recorded yet.
    pub fn new(device: Device) -> Self {
        Self { device, manner: None, recording: Recording::new(device), inputs: None }
    }

    /// Learns from one batch, as [`train_step`] does. Every batch has as many images as the first.
    pub fn train_step(
        &mut self,
        model: &ResNet,
        optimizer: &mut AdamW,
        batch: (&Tensor, &Tensor),
        options: &StepOptions,
    ) -> StepOutcome {
        if self.is_warm_for(options) {
            return self.replay(model, optimizer, batch, options, |_, _| {});
        }
        let (images, labels) = batch;
        self.warm_up(|| train_step(model, optimizer, images, labels, options))
    }

    /// Whether steps that are taken so can be replayed, or are to be taken in [`Self::warm_up`] yet. What was recorded of
    /// steps that are taken in another way is forgotten.
    pub(crate) fn is_warm_for(&mut self, options: &StepOptions) -> bool {
        let manner = Some(StepOptions { lr: 0.0, ..*options });
        if self.manner != manner {
            *self = Self { manner, ..Self::new(self.device) };
        }
        !self.recording.is_warming_up()
    }

    /// Takes a step where steps will be recorded.
    pub(crate) fn warm_up<R>(&mut self, step: impl FnOnce() -> R) -> R {
        self.recording.warm_up(step)
    }

    /// Takes a step from the recording, which is made the first time; `about_to` hears then what is done. When it panics, of
    /// the model only the running statistics of its norms may have moved.
    pub(crate) fn replay(
        &mut self,
        model: &ResNet,
        optimizer: &mut AdamW,
        (images, labels): (&Tensor, &Tensor),
        options: &StepOptions,
        about_to: impl Fn(Work, i64),
    ) -> StepOutcome {
        optimizer.prepare(options.lr);
        let (images, labels) = match &mut self.inputs {
            Some((held_images, held_labels)) => {
                assert_eq!(held_images.size(), images.size(), "batches are of one size");
                held_images.copy_(images);
                held_labels.copy_(labels);
                (&*held_images, &*held_labels)
            }
            none => {
                let (images, labels) = none.insert((images.copy(), labels.copy()));
                (&*images, &*labels)
            }
        };
        let outcome = self.recording.run(|| {
            let lesson = study(model, optimizer.parameters(), images, labels, options, &about_to);
            about_to(Work::Optimizer, labels.size()[0]);
            lesson.apply(optimizer)
        });
        let outcome = outcome.copy();
        optimizer.count();
        outcome
    }
}
