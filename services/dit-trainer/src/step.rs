//! One training step.

use tch::{Kind, Reduction, Tensor};
use torch::{AdamW, accumulate, clip_divisor, gradient_norm, gradients};
use training::Work;

use crate::{Dit, flow::Draw};

/// How a step is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOptions {
    /// The learning rate.
    pub lr: f64,
    /// The largest norm of the gradient; 0 clips nothing.
    pub clip_norm: f64,
    /// Parts that the batch is computed in, one after the other.
    pub accumulation: u32,
}

impl StepOptions {
    /// What of them is the same in steps that can be taken from one recording.
    pub(crate) fn manner(self) -> Self {
        Self { lr: 0.0, ..self }
    }
}

/// What a step came to, on the device: reading it waits.
#[derive(Debug)]
pub struct StepOutcome {
    /// The mean squared error of the velocities, before the step; fp64.
    pub loss: Tensor,
    /// The norm of the gradient, before clipping.
    pub gradient_norm: Tensor,
}

/// What a batch has to teach, before anything is learned from it.
#[derive(Debug)]
pub(crate) struct Lesson {
    loss: Tensor,
    gradients: Vec<Tensor>,
    gradient_norm: Tensor,
    divisor: Tensor,
}

/// Learns from one batch: images as patches (N, T, D), and what was drawn for them.
pub fn train_step(
    model: &Dit,
    optimizer: &mut AdamW,
    images: &Tensor,
    draw: &Draw,
    options: &StepOptions,
) -> StepOutcome {
    study(model, optimizer.parameters(), images, draw, options, |_, _| {}).learn(optimizer, options)
}

/// Goes through a batch, forward and backward. `about_to` hears what is done next, with how many images.
pub(crate) fn study(
    model: &Dit,
    parameters: &[Tensor],
    images: &Tensor,
    draw: &Draw,
    options: &StepOptions,
    about_to: impl Fn(Work, i64),
) -> Lesson {
    let count = images.size()[0];
    let parts = i64::from(options.accumulation).min(count);
    let (mut loss, mut summed) = (None, None);
    for part in 0..parts {
        let (start, end) = (part * count / parts, (part + 1) * count / parts);
        let (images, draw) = (images.narrow(0, start, end - start), draw.part(start, end - start));
        about_to(Work::Forward, end - start);
        // Weighted by its share, each image counts the same, however the batch is cut.
        let part_loss = error(model, &images, &draw, Reduction::Mean) * ((end - start) as f64 / count as f64);
        about_to(Work::Backward, end - start);
        accumulate(&mut summed, gradients(&part_loss, parameters));
        let part_loss = part_loss.detach().to_kind(Kind::Double);
        loss = Some(loss.map_or_else(|| part_loss.shallow_clone(), |sum: Tensor| sum + &part_loss));
    }
    let gradients = summed.expect("a batch has at least one part");
    let gradient_norm = gradient_norm(&gradients);
    Lesson {
        loss: loss.expect("a batch has at least one part"),
        divisor: clip_divisor(&gradient_norm, options.clip_norm),
        gradient_norm,
        gradients,
    }
}

/// How wrong the network is about the velocities of images (N, T, D): the squared error of each value, reduced.
pub(crate) fn error(model: &Dit, images: &Tensor, draw: &Draw, reduction: Reduction) -> Tensor {
    let (mixed, velocity) = draw.on_the_way(images);
    model.forward(&mixed, &draw.times, &draw.labels).mse_loss(&velocity, reduction)
}

impl Lesson {
    /// Takes the optimiser's step.
    pub(crate) fn learn(self, optimizer: &mut AdamW, options: &StepOptions) -> StepOutcome {
        optimizer.prepare(options.lr);
        let outcome = self.apply(optimizer);
        optimizer.count();
        outcome
    }

    /// The part of it that is the same in every step.
    pub(crate) fn apply(self, optimizer: &AdamW) -> StepOutcome {
        optimizer.apply(self.gradients, &self.divisor);
        StepOutcome { loss: self.loss, gradient_norm: self.gradient_norm }
    }
}

impl StepOutcome {
    /// The same, whatever becomes of the original.
    pub(crate) fn copy(&self) -> Self {
        Self { loss: self.loss.copy(), gradient_norm: self.gradient_norm.copy() }
    }
}
