//! Steps from a recording.

use tch::Tensor;
use torch::AdamW;
use training::Work;

use crate::{
    ResNet, StepOptions, StepOutcome,
    step::{study, train_step},
};

/// Steps that read images (N, 3, H, W), normalised, and labels (N): forward, backward, clipping, AdamW.
pub type RecordedSteps = training::RecordedSteps<StepOptions, StepOutcome, 2>;

/// Learns from one batch, as [`train_step`] does. Every batch has as many images as the first.
pub fn recorded_step(
    recorded: &mut RecordedSteps,
    model: &ResNet,
    optimizer: &mut AdamW,
    (images, labels): (&Tensor, &Tensor),
    options: &StepOptions,
) -> StepOutcome {
    if recorded.is_warm_for(options.manner()) {
        return replay(recorded, model, optimizer, (images, labels), options, |_, _| {});
    }
    recorded.warm_up(|| train_step(model, optimizer, images, labels, options))
}

/// Takes a step from the recording, which is made the first time; `about_to` hears then what is done. When it panics, of the
/// model only the running statistics of its norms may have moved.
pub(crate) fn replay(
    recorded: &mut RecordedSteps,
    model: &ResNet,
    optimizer: &mut AdamW,
    (images, labels): (&Tensor, &Tensor),
    options: &StepOptions,
    about_to: impl Fn(Work, i64),
) -> StepOutcome {
    optimizer.prepare(options.lr);
    let outcome = recorded.replay([images, labels], |[images, labels]| {
        let lesson = study(model, optimizer.parameters(), images, labels, options, &about_to);
        about_to(Work::Optimizer, labels.size()[0]);
        lesson.apply(optimizer)
    });
    let outcome = outcome.copy();
    optimizer.count();
    outcome
}
