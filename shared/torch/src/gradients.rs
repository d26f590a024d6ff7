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

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// Some longer than a block of the kernel, some not, some that lie otherwise than in rows or with gaps.
    fn tensors() -> Vec<Tensor> {
        let line = |count: i64| Tensor::arange(count, (Kind::Float, Device::Cpu)).sin();
        let apart = line(3_000).view([60, 50]).narrow(1, 7, 20);
        vec![line(100_001), line(1), line(70_000).view([700, 100]).tr(), apart, line(0)]
    }

    #[test]
    fn the_norm_is_that_of_all_values_together() {
        let squares: f64 =
            tensors().iter().map(|t| t.to_kind(Kind::Double).square().sum(None).double_value(&[])).sum();
        let norm = gradient_norm(&tensors());
        assert_eq!((norm.dim(), norm.kind()), (0, Kind::Float));
        assert!((norm.double_value(&[]) / squares.sqrt() - 1.0).abs() < 1e-6);
        assert_eq!(gradient_norm(&[]).double_value(&[]), 0.0);
    }

    #[test]
    fn the_norm_has_the_same_bits_with_any_number_of_threads() {
        let norm = |threads| {
            crate::use_threads(threads);
            gradient_norm(&tensors())
        };
        assert!(norm(1).equal(&norm(2)) && norm(1).equal(&norm(3)));
    }

    #[test]
    fn a_norm_of_what_is_no_number_is_none() {
        let broken = Tensor::from_slice(&[1.0_f32, f32::NAN]);
        assert!(gradient_norm(&[tensors().remove(0), broken]).double_value(&[]).is_nan());
    }
}
