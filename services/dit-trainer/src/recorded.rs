//! Steps from a recording.

use tch::Tensor;
use torch::AdamW;
use training::Work;

use crate::{
    Dit, StepOptions, StepOutcome,
    flow::Draw,
    step::{study, train_step},
};

/// Steps that read images as patches (N, T, D) and what was drawn for them, noise, times and labels: forward, backward,
/// clipping, AdamW.
pub type RecordedSteps = training::RecordedSteps<StepOptions, StepOutcome, 4>;

/// Learns from one batch, as [`train_step`] does. Every batch has as many images as the first.
pub fn recorded_step(
    recorded: &mut RecordedSteps,
    model: &Dit,
    optimizer: &mut AdamW,
    (images, draw): (&Tensor, &Draw),
    options: &StepOptions,
) -> StepOutcome {
    if recorded.is_warm_for(options.manner()) {
        return replay(recorded, model, optimizer, (images, draw), options, |_, _| {});
    }
    recorded.warm_up(|| train_step(model, optimizer, images, draw, options))
}

/// Takes a step from the recording, which is made the first time; `about_to` hears then what is done. When it panics, the
/// optimiser has not stepped.
pub(crate) fn replay(
    recorded: &mut RecordedSteps,
    model: &Dit,
    optimizer: &mut AdamW,
    (images, draw): (&Tensor, &Draw),
    options: &StepOptions,
    about_to: impl Fn(Work, i64),
) -> StepOutcome {
    optimizer.prepare(options.lr);
    let inputs = [images, &draw.noise, &draw.times, &draw.labels];
    let outcome = recorded.replay(inputs, |[images, noise, times, labels]| {
        let [noise, times, labels] = [noise, times, labels].map(Tensor::shallow_clone);
        let draw = Draw { noise, times, labels };
        let lesson = study(model, optimizer.parameters(), images, &draw, options, &about_to);
        about_to(Work::Optimizer, images.size()[0]);
        lesson.apply(optimizer)
    });
    let outcome = outcome.copy();
    optimizer.count();
    outcome
}
