//! A moving average of a network's weights, which generates better than the weights themselves (Song & Ermon, arXiv
//! 2006.09011).

use tch::{Tensor, no_grad};

use crate::native;

/// Averages of parameters, and how slowly they forget.
#[derive(Debug)]
pub struct Ema {
    parameters: Vec<Tensor>,
    averages: Vec<Tensor>,
    decay: f64,
}

impl Ema {
    /// Averages that follow parameters, each pair by its place. `decay` is what they rise to: early on, when the weights
    /// have hardly begun to be good, they forget faster.
    ///
    /// # Panics
    /// When there are not as many of both.
    pub fn new(parameters: Vec<Tensor>, averages: Vec<Tensor>, decay: f64) -> Self {
        assert_eq!(parameters.len(), averages.len(), "each parameter has an average");
        Self { parameters, averages, decay }
    }

    /// Lets the averages follow after a step, of which so many are finished, this one included. The device is not waited
    /// for.
    pub fn follow(&mut self, steps: u64) {
        no_grad(|| native::lerp(&mut self.averages, &self.parameters, 1.0 - decay_at(steps, self.decay)));
    }
}

/// `(1 + n) / (10 + n)` until that passes `most`, as in TensorFlow's `ExponentialMovingAverage`.
fn decay_at(steps: u64, most: f64) -> f64 {
    most.min((1 + steps) as f64 / (10 + steps) as f64)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn averages_follow_faster_at_first_and_end_up_where_the_formula_says() {
        let parameter = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        let average = parameter.copy();
        let mut ema = Ema::new(vec![parameter.shallow_clone()], vec![average.shallow_clone()], 0.5);
        let mut expected = 0.0;
        for steps in 1..40_u64 {
            let _ = parameter.shallow_clone().fill_(steps as f64);
            ema.follow(steps);
            let decay = (0.5_f64).min((1.0 + steps as f64) / (10.0 + steps as f64));
            expected = decay * expected + (1.0 - decay) * steps as f64;
            assert!((average.double_value(&[1, 2]) - expected).abs() < 1e-4, "{steps}");
        }
        assert!((decay_at(1, 0.9999) - 2.0 / 11.0).abs() < 1e-12);
        assert!((decay_at(1_000_000, 0.9999) - 0.9999).abs() < 1e-12);
    }
}
