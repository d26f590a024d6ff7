//! The learning rate of each step.

use std::f64::consts::PI;

/// Linear warm-up, then half a cosine down to zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmupCosine {
    /// The highest rate.
    pub peak: f64,
    /// Steps of warm-up.
    pub warmup: u64,
    /// All steps.
    pub total: u64,
}

impl WarmupCosine {
    /// The rate of the step with this index, from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let decay_steps = self.total.saturating_sub(self.warmup).max(1);
        let progress = (step - self.warmup) as f64 / decay_steps as f64;
        self.peak * 0.5 * (1.0 + (PI * progress.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_to_the_peak_and_falls_towards_zero() {
        let schedule = WarmupCosine { peak: 0.1, warmup: 10, total: 110 };
        assert!((schedule.at(0) - 0.01).abs() < 1e-12);
        assert!((schedule.at(9) - 0.1).abs() < 1e-12);
        assert!((schedule.at(10) - 0.1).abs() < 1e-12);
        assert!((schedule.at(60) - 0.05).abs() < 1e-12);
        assert!(schedule.at(109) < 1e-4);
        assert!((11..110).all(|step| schedule.at(step) < schedule.at(step - 1)));
    }

    #[test]
    fn does_without_a_warm_up_and_survives_one_step() {
        assert!((WarmupCosine { peak: 0.1, warmup: 0, total: 1 }.at(0) - 0.1).abs() < 1e-12);
        assert!((WarmupCosine { peak: 0.1, warmup: 1, total: 1 }.at(0) - 0.1).abs() < 1e-12);
    }
}
