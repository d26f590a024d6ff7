//! Everything that decides how a run goes on: what a checkpoint holds.

use contract::dit::DitParams;
use tch::{Device, Kind, Tensor};
use torch::{AdamW, AdamWOptions, Ema};
use training::precision;

use crate::{Dit, DitConfig, StepOutcome, history::Figures};

/// A run between two steps.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) model: Dit,
    /// The network whose weights follow those of `model`, and which generates.
    pub(crate) average: Dit,
    pub(crate) optimizer: AdamW,
    ema: Ema,
    /// Steps finished.
    pub(crate) step: u64,
    /// The losses of the steps since the last validation, summed up, on the device.
    pub(crate) loss_sum: Tensor,
    /// What came of each validation.
    pub(crate) history: Vec<Figures>,
    /// How many threads compute; the last bits depend on it.
    pub(crate) threads: u32,
    /// The loss of the last step, on the device.
    pub(crate) loss: Option<Tensor>,
    /// The norm of its gradient, on the device.
    pub(crate) gradient_norm: Option<Tensor>,
}

impl State {
    /// The state before the first step.
    pub(crate) fn fresh(params: &DitParams, classes: usize, threads: u32, device: Device) -> Self {
        let config = DitConfig { shape: params.shape(), classes, precision: precision(params.precision) };
        let model = Dit::new(config, device, params.seed);
        let average = model.frozen_copy();
        let options =
            AdamWOptions { beta2: 0.95, weight_decay: params.weight_decay, ..AdamWOptions::default() };
        let averages = average.tensors();
        let (followed, averages) =
            model.parameters().map(|(name, tensor)| (tensor, averages[&name].shallow_clone())).unzip();
        Self {
            optimizer: AdamW::new(model.parameters(), options),
            ema: Ema::new(followed, averages, params.ema_decay),
            model,
            average,
            step: 0,
            loss_sum: Tensor::zeros([], (Kind::Double, device)),
            history: Vec::new(),
            threads,
            loss: None,
            gradient_norm: None,
        }
    }

    /// Takes note of a step, and lets the average follow.
    pub(crate) fn advance(&mut self, outcome: StepOutcome) {
        self.step += 1;
        self.ema.follow(self.step);
        self.loss_sum += &outcome.loss;
        self.loss = Some(outcome.loss);
        self.gradient_norm = Some(outcome.gradient_norm);
    }

    /// Whether every number is still one: a loss that was not stays in the sum, and a gradient that was not has spoiled
    /// the parameters. Waits for the device.
    pub(crate) fn is_finite(&self) -> bool {
        let norm = self.gradient_norm.as_ref().map_or(0.0, |norm| norm.double_value(&[]));
        self.loss_sum.double_value(&[]).is_finite() && norm.is_finite()
    }
}
