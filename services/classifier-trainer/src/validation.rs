//! Judging a model by images it has not learned from.

use tch::{Reduction, Tensor, no_grad};
use torch::{
    Mode,
    images::{Scale, ValBatches},
};
use training::transient;
use worker::RunError;

use crate::{ResNet, step::cross_entropy};

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Validation {
    /// The mean loss, smoothed as in training so that both can be compared.
    pub(crate) loss: f64,
    /// The share classified rightly.
    pub(crate) accuracy: f64,
    /// How often images of each class (rows) were taken for each class (columns).
    pub(crate) confusion: Vec<Vec<u64>>,
}

/// Shows the model every image held out. `meanwhile` is called before each batch.
///
/// # Errors
/// Transient, when an image cannot be read any more; or what `meanwhile` says.
pub(crate) fn validate(
    model: &ResNet,
    batches: &ValBatches<'_>,
    label_smoothing: f64,
    mut meanwhile: impl FnMut() -> Result<(), RunError>,
) -> Result<Validation, RunError> {
    let classes = model.config().classes;
    let mut confusion = vec![vec![0; classes]; classes];
    let (mut loss, mut seen) = (0.0, 0_u64);
    let device = model.tensors()["fc.bias"].device();
    for batch in batches.iter() {
        meanwhile()?;
        let (images, labels) = batch.map_err(transient)?.to_device(device, Scale::ImageNet);
        let (batch_loss, predicted) = no_grad(|| {
            let logits = model.forward(&images, Mode::Eval);
            let loss = cross_entropy(&logits, &labels, label_smoothing, Reduction::Sum);
            (loss.double_value(&[]), logits.argmax(1, false))
        });
        loss += batch_loss;
        for (label, predicted) in integers(&labels).into_iter().zip(integers(&predicted)) {
            confusion[label][predicted] += 1;
            seen += 1;
        }
    }
    let correct: u64 = (0..classes).map(|class| confusion[class][class]).sum();
    Ok(Validation { loss: loss / seen as f64, accuracy: correct as f64 / seen as f64, confusion })
}

fn integers(tensor: &Tensor) -> Vec<usize> {
    let values: Vec<i64> = tensor.try_into().expect("labels are a list of integers");
    values.into_iter().map(|value| value as usize).collect()
}
