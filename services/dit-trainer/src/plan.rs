//! What a run will do, as numbers: pure functions of the parameters and the number of images.

use contract::{Failure, dit::DitParams};
use torch::WarmupCosine;

use crate::{
    StepOptions,
    history::{Figures, ends_early},
};

/// The numbers of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    pub(crate) batch_size: u64,
    pub(crate) steps: u64,
    validate_every: u64,
    sample_every: u64,
    schedule: WarmupCosine,
    clip_norm: f64,
    patience: u32,
}

impl Plan {
    /// The plan for so many training images. Fewer than a batch make one smaller batch.
    ///
    /// # Errors
    /// Permanent, when a batch cannot be computed in as many parts as the parameters ask for.
    pub(crate) fn new(params: &DitParams, train_images: usize) -> Result<Self, Failure> {
        let batch_size = u64::from(params.batch_size).min(train_images as u64);
        if batch_size < params.accumulation.into() {
            return Err(Failure::permanent(format!(
                "{batch_size} images a step cannot be learned from in {} parts; lower accumulation, or add images \
                 (there are {train_images} to learn from)",
                params.accumulation
            )));
        }
        Ok(Self {
            batch_size,
            steps: params.steps,
            validate_every: params.validate_every_steps,
            sample_every: params.sample_every_steps,
            schedule: WarmupCosine { peak: params.lr, warmup: params.warmup(), total: params.steps },
            clip_norm: params.clip_norm,
            patience: params.early_stop_patience,
        })
    }

    /// Whether nothing is left to learn after these validations.
    pub(crate) fn is_over(&self, history: &[Figures]) -> bool {
        history.last().is_some_and(|last| last.step == self.steps) || ends_early(history, self.patience)
    }

    /// The step after which the validation with this index is due.
    pub(crate) fn validated_at(&self, index: usize) -> u64 {
        (index as u64 + 1).saturating_mul(self.validate_every).min(self.steps)
    }

    /// How many steps lie behind the validation with this index since the one before.
    pub(crate) fn steps_before(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).map_or(0, |index| self.validated_at(index));
        self.validated_at(index) - before
    }

    /// Whether samples are drawn after so many steps, besides those of the end.
    pub(crate) fn samples_at(&self, step: u64) -> bool {
        0 < self.sample_every && 0 < step && step < self.steps && step.is_multiple_of(self.sample_every)
    }

    /// How the step with this index is taken.
    pub(crate) fn step_options(&self, step: u64, accumulation: u32) -> StepOptions {
        StepOptions { lr: self.schedule.at(step), clip_norm: self.clip_norm, accumulation }
    }
}

#[cfg(test)]
mod tests {
    use contract::params::WorkloadParams;
    use serde_json::json;

    use super::*;

    fn plan(more: serde_json::Value, images: usize) -> Result<Plan, Failure> {
        let mut params =
            json!({ "data": "x", "steps": 10, "validate_every_steps": 4, "sample_every_steps": 5 });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Plan::new(&DitParams::parse(params.as_object().unwrap()).unwrap(), images)
    }

    #[test]
    fn the_last_step_is_always_followed_by_a_validation() {
        let plan = plan(json!({}), 100).unwrap();
        let validations = [0, 1, 2].map(|index| (plan.validated_at(index), plan.steps_before(index)));
        assert_eq!(validations, [(4, 4), (8, 4), (10, 2)]);
        let at = |step| [Figures { step, train_loss: 1.0, val_loss: 1.0 }];
        assert!(!plan.is_over(&at(8)) && plan.is_over(&at(10)));
        assert_eq!((0..=10).filter(|step| plan.samples_at(*step)).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn few_images_make_one_small_batch() {
        assert_eq!(plan(json!({ "batch_size": 64 }), 9).unwrap().batch_size, 9);
        let error = plan(json!({ "batch_size": 64, "accumulation": 16 }), 9).unwrap_err();
        assert!(error.message.starts_with("9 images a step cannot be learned from in 16 parts"), "{error}");
    }
}
