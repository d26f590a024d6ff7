//! Everything that decides how a run goes on: what a checkpoint holds.

use std::collections::BTreeMap;

use contract::classifier::ClassifierParams;
use tch::{Device, Kind, Tensor};
use torch::{AdamW, AdamWOptions, Kept, cpu_copy};
use training::precision;

use crate::{ResNet, ResNetConfig, StepOutcome, history::EpochFigures};

/// A run between two steps.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) model: ResNet,
    pub(crate) optimizer: AdamW,
    /// Steps finished.
    pub(crate) step: u64,
    /// Over the steps of the present epoch: their losses, and images classified rightly. On the device.
    pub(crate) sums: Tensor,
    /// The epochs that are over, validation included.
    pub(crate) history: Vec<EpochFigures>,
    /// The model's tensors after the best epoch so far, on the CPU.
    pub(crate) best: BTreeMap<String, Tensor>,
    /// How many threads compute; the last bits depend on it.
    pub(crate) threads: u32,
    /// The running statistics of the norms as they were before the step that is being taken.
    pub(crate) statistics: Kept,
    /// The loss of the last step, on the device.
    pub(crate) loss: Option<Tensor>,
    /// The norm of its gradient, on the device.
    pub(crate) gradient_norm: Option<Tensor>,
}

impl State {
    /// The state before the first step.
    pub(crate) fn fresh(params: &ClassifierParams, classes: usize, threads: u32, device: Device) -> Self {
        let precision = precision(params.precision);
        let config = ResNetConfig { arch: params.arch, stem: params.stem, classes, precision };
        let model = ResNet::new(config, device, params.seed);
        let options = AdamWOptions { weight_decay: params.weight_decay, ..AdamWOptions::default() };
        Self {
            optimizer: AdamW::new(model.parameters(), options),
            statistics: Kept::of(model.tensors().into_values().filter(|tensor| !tensor.requires_grad())),
            model,
            step: 0,
            sums: Tensor::zeros([2], (Kind::Double, device)),
            history: Vec::new(),
            best: BTreeMap::new(),
            threads,
            loss: None,
            gradient_norm: None,
        }
    }

    /// Takes note of a step.
    pub(crate) fn advance(&mut self, outcome: StepOutcome) {
        self.step += 1;
        self.sums += Tensor::stack(&[&outcome.loss, &outcome.correct], 0);
        self.loss = Some(outcome.loss);
        self.gradient_norm = Some(outcome.gradient_norm);
    }

    /// The mean loss of `steps` steps of this epoch, and the share of `images` classified rightly. Waits for the device.
    pub(crate) fn train_figures(&self, steps: u64, images: u64) -> (f64, f64) {
        (self.sums.double_value(&[0]) / steps as f64, self.sums.double_value(&[1]) / images as f64)
    }

    /// Whether every number is still one: a loss that was not stays in the sums, and a gradient that was not has
    /// spoiled the parameters. Waits for the device.
    pub(crate) fn is_finite(&self) -> bool {
        let norm = self.gradient_norm.as_ref().map_or(0.0, |norm| norm.double_value(&[]));
        self.sums.double_value(&[0]).is_finite() && norm.is_finite()
    }

    /// The model's tensors as they are now, copied to the CPU.
    pub(crate) fn model_copy(&self) -> BTreeMap<String, Tensor> {
        self.model.tensors().into_iter().map(|(name, tensor)| (name, cpu_copy(&tensor))).collect()
    }
}
