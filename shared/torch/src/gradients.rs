//! What happens to gradients between backward and the optimiser.

use tch::{Kind, Tensor, no_grad};

use crate::native;

/// The gradients of a scalar loss with respect to `parameters`, in their order.
pub fn gradients(loss: &Tensor, parameters: &[Tensor]) -> Vec<Tensor> {
    Tensor::run_backward(&[loss], parameters, false, false)
}

/// Adds the gradients of one more part of a batch to the sum of those before.
pub fn accumulate(sum: &mut Option<Vec<Tensor>>, part: Vec<Tensor>) {
    match sum {
        None => *sum = Some(part),
        Some(sum) => no_grad(|| native::add(sum, &part)),
    }
}

/// The norm of all gradients together, as an fp32 scalar on their device; the device is not waited for.
pub fn gradient_norm(gradients: &[Tensor]) -> Tensor {
    no_grad(|| {
        let device = gradients.first().map_or(tch::Device::Cpu, Tensor::device);
        let mut norm = Tensor::zeros([], (Kind::Float, device));
        native::norm(gradients, &mut norm);
        norm
    })
}

/// What gradients of this norm are divided by, so that it is at most `max_norm`; 0 clips nothing.
pub fn clip_divisor(norm: &Tensor, max_norm: f64) -> Tensor {
    if max_norm == 0.0 {
        return norm.ones_like();
    }
    // As in torch.nn.utils.clip_grad_norm_, whose factor is the inverse of this.
    no_grad(|| ((norm + 1e-6) / max_norm).clamp_min(1.0))
}
