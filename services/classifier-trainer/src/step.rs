//! One training step.

use tch::{Kind, Reduction, Tensor};
use torch::{AdamW, Mode, accumulate, clip_divisor, gradient_norm, gradients};
use training::Work;

use crate::ResNet;

/// How a step is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOptions {
    /// The learning rate.
    pub lr: f64,
    /// The largest norm of the gradient; 0 clips nothing.
    pub clip_norm: f64,
    /// Label smoothing.
    pub label_smoothing: f64,
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
    /// The mean loss of the batch, before the step; fp64.
    pub loss: Tensor,
    /// How many of its images were classified rightly; fp64.
    pub correct: Tensor,
    /// The norm of the gradient, before clipping.
    pub gradient_norm: Tensor,
}

/// What a batch has to teach, before anything is learned from it.
#[derive(Debug)]
pub(crate) struct Lesson {
    loss: Tensor,
    correct: Tensor,
    gradients: Vec<Tensor>,
    gradient_norm: Tensor,
    divisor: Tensor,
}

/// Learns from one batch: images (N, 3, H, W), normalised, and labels (N).
pub fn train_step(
    model: &ResNet,
    optimizer: &mut AdamW,
    images: &Tensor,
    labels: &Tensor,
    options: &StepOptions,
) -> StepOutcome {
    study(model, optimizer.parameters(), images, labels, options, |_, _| {}).learn(optimizer, options)
}

/// Goes through a batch, forward and backward. Of the model, only the running statistics of its norms have moved then.
/// `about_to` hears what is done next, with how many images.
pub(crate) fn study(
    model: &ResNet,
    parameters: &[Tensor],
    images: &Tensor,
    labels: &Tensor,
    options: &StepOptions,
    about_to: impl Fn(Work, i64),
) -> Lesson {
    let count = labels.size()[0];
    let parts = i64::from(options.accumulation).min(count);
    let (mut loss, mut correct, mut summed) = (None, None, None);
    for part in 0..parts {
        let (start, end) = (part * count / parts, (part + 1) * count / parts);
        let labels = labels.narrow(0, start, end - start);
        about_to(Work::Forward, end - start);
        let logits = model.forward(&images.narrow(0, start, end - start), Mode::Train);
        // Weighted by its share, each image counts the same, however the batch is cut.
        let part_loss = cross_entropy(&logits, &labels, options.label_smoothing, Reduction::Mean)
            * ((end - start) as f64 / count as f64);
        about_to(Work::Backward, end - start);
        accumulate(&mut summed, gradients(&part_loss, parameters));
        add(&mut loss, part_loss.detach().to_kind(Kind::Double));
        add(&mut correct, correct_in(&logits, &labels));
    }
    let gradients = summed.expect("a batch has at least one part");
    let gradient_norm = gradient_norm(&gradients);
    Lesson {
        loss: loss.expect("a batch has at least one part"),
        correct: correct.expect("a batch has at least one part"),
        divisor: clip_divisor(&gradient_norm, options.clip_norm),
        gradient_norm,
        gradients,
    }
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
        StepOutcome { loss: self.loss, correct: self.correct, gradient_norm: self.gradient_norm }
    }
}

impl StepOutcome {
    /// The same, whatever becomes of the original.
    pub(crate) fn copy(&self) -> Self {
        let Self { loss, correct, gradient_norm } = self;
        Self { loss: loss.copy(), correct: correct.copy(), gradient_norm: gradient_norm.copy() }
    }
}

/// Cross-entropy with label smoothing (Szegedy et al., arXiv 1512.00567).
pub(crate) fn cross_entropy(
    logits: &Tensor,
    labels: &Tensor,
    smoothing: f64,
    reduction: Reduction,
) -> Tensor {
    /// PyTorch's label that counts for nothing; no class has it.
    const IGNORED: i64 = -100;
    logits.cross_entropy_loss(labels, None::<Tensor>, reduction, IGNORED, smoothing)
}

fn correct_in(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.detach().argmax(1, false).eq_tensor(labels).sum(Kind::Double)
}

fn add(sum: &mut Option<Tensor>, part: Tensor) {
    match sum {
        None => *sum = Some(part),
        Some(sum) => *sum += part,
    }
}

#[cfg(test)]
mod tests;
