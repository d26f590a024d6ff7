//! Judging a network by images it has not learned from.

use tch::{Reduction, no_grad};
use torch::images::{Scale, ValBatches};
use training::transient;
use worker::RunError;

use crate::{Dit, flow::validation_draw, model::patchify, step::error};

/// The mean loss on every image held out, each mixed with the same noise every time. `meanwhile` is called before each
/// batch, with how many images it has at most.
///
/// # Errors
/// Transient, when an image cannot be read any more; or what `meanwhile` says.
pub(crate) fn validate(
    model: &Dit,
    batches: &ValBatches<'_>,
    seed: u64,
    mut meanwhile: impl FnMut() -> Result<(), RunError>,
) -> Result<f64, RunError> {
    let (mut sum, mut values, mut seen) = (0.0, 0_usize, 0);
    for batch in batches.iter() {
        meanwhile()?;
        let (images, labels) = batch.map_err(transient)?.to_device(model.device(), Scale::Signed);
        let patches = patchify(&images, model.config().shape.patch_size); // (N, T, D)
        let draw = validation_draw(seed, seen, &patches.size(), &labels);
        sum += no_grad(|| error(model, &patches, &draw, Reduction::Sum).double_value(&[]));
        values += patches.numel();
        seen += images.size()[0] as usize;
    }
    Ok(sum / values as f64)
}
