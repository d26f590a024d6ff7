//! What a run will do, as numbers: pure functions of the parameters and the number of images.

use contract::{Failure, classifier::ClassifierParams};
use torch::WarmupCosine;

use crate::{
    StepOptions,
    history::{EpochFigures, ends_early},
};

/// The fewest images that batch normalisation takes its statistics from.
pub(crate) const FEWEST_IMAGES: u64 = 2;

/// The numbers of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    pub(crate) batch_size: u64,
    pub(crate) steps_per_epoch: u64,
    epochs: u64,
    schedule: WarmupCosine,
    clip_norm: f64,
    label_smoothing: f64,
    patience: u32,
}

impl Plan {
    /// The plan for so many training images. Fewer than a batch make one smaller batch.
    ///
    /// # Errors
    /// Permanent, when the parameters ask for parts of a batch that are too small.
    pub(crate) fn new(params: &ClassifierParams, train_images: usize) -> Result<Self, Failure> {
        let batch_size = u64::from(params.batch_size).min(train_images as u64);
        let parts = params.accumulation;
        if batch_size / u64::from(parts) < FEWEST_IMAGES {
            return Err(Failure::permanent(format!(
                "{batch_size} images a step in {parts} parts leave a part with fewer than two, and batch \
                 normalisation needs two at a time; raise batch_size, lower accumulation, or add images (there are \
                 {train_images} to learn from)"
            )));
        }
        let steps_per_epoch = train_images as u64 / batch_size;
        let total = steps_per_epoch * u64::from(params.epochs);
        let warmup = (params.warmup_epochs * steps_per_epoch as f64).round() as u64;
        Ok(Self {
            batch_size,
            steps_per_epoch,
            epochs: params.epochs.into(),
            schedule: WarmupCosine { peak: params.lr, warmup, total },
            clip_norm: params.clip_norm,
            label_smoothing: params.label_smoothing,
            patience: params.early_stop_patience,
        })
    }

    /// All steps, unless training ends early.
    pub(crate) fn steps(&self) -> u64 {
        self.steps_per_epoch * self.epochs
    }

    /// Whether nothing is left to learn after these epochs.
    pub(crate) fn is_over(&self, history: &[EpochFigures]) -> bool {
        self.epochs <= history.len() as u64 || ends_early(history, self.patience)
    }

    /// The step after which the epoch with this index is over.
    pub(crate) fn end_of_epoch(&self, epoch: usize) -> u64 {
        (epoch as u64 + 1) * self.steps_per_epoch
    }

    /// How the step with this index is taken.
    pub(crate) fn step_options(&self, step: u64, accumulation: u32) -> StepOptions {
        StepOptions {
            lr: self.schedule.at(step),
            clip_norm: self.clip_norm,
            label_smoothing: self.label_smoothing,
            accumulation,
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::FailureClass;
    use contract::params::WorkloadParams;
    use serde_json::json;

    use super::*;

    fn params(more: serde_json::Value) -> ClassifierParams {
        let mut params = json!({ "data": "x" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ClassifierParams::parse(params.as_object().unwrap()).unwrap()
    }

    #[test]
    fn whole_batches_make_an_epoch() {
        let params = params(json!({ "batch_size": 10, "epochs": 3, "warmup_epochs": 0.5, "lr": 0.1 }));
        let plan = Plan::new(&params, 47).unwrap();
        assert_eq!((plan.steps_per_epoch, plan.steps(), plan.end_of_epoch(1)), (4, 12, 8));
        let lr = |step| plan.step_options(step, 1).lr;
        assert!((lr(0) - 0.05).abs() < 1e-12 && (lr(1) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn few_images_make_one_small_batch_and_one_alone_is_refused() {
        let params = params(json!({ "batch_size": 64, "accumulation": 4 }));
        assert_eq!(Plan::new(&params, 9).unwrap().batch_size, 9);
        let error = Plan::new(&params, 7).unwrap_err();
        assert!(
            error.message.starts_with("7 images a step in 4 parts leave a part with fewer than two"),
            "{error}"
        );
        assert_eq!(error.class, FailureClass::Permanent);
    }
}
