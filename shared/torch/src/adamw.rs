//! AdamW (Loshchilov & Hutter, arXiv 1711.05101) whose state can be saved: tch's own keeps it out of reach.

use tch::{Device, Kind, Tensor, no_grad};

use crate::native::{self, AdamwStep};

/// How AdamW steps. The defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWOptions {
    /// How slowly the average of the gradients forgets.
    pub beta1: f64,
    /// How slowly the average of their squares forgets.
    pub beta2: f64,
    /// Keeps the division sane.
    pub eps: f64,
    /// Decoupled decay of weights; biases and norms, which have one dimension, do not decay.
    pub weight_decay: f64,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

/// The optimiser and its state, over named parameters.
#[derive(Debug)]
pub struct AdamW {
    options: AdamWOptions,
    names: Vec<String>,
    parameters: Vec<Tensor>,
    averages: Vec<Tensor>,
    squares: Vec<Tensor>,
    /// Parameters before this one decay, those from it on do not.
    first_plain: usize,
    steps: u64,
    next: Next,
}

/// What is different in each step. A kernel on a GPU reads it there, so that a step that was recorded can be replayed.
#[derive(Debug)]
struct Next {
    /// The number of the step, on the device.
    number: Tensor,
    /// The learning rate, likewise, where the device is a GPU.
    device_lr: Option<Tensor>,
    /// The learning rate; a CPU takes it in fp64.
    lr: f64,
}

impl AdamW {
    /// An optimiser that has not stepped yet. Gradients are given in the order of [`Self::parameters`].
    pub fn new(parameters: impl IntoIterator<Item = (String, Tensor)>, options: AdamWOptions) -> Self {
        let (decayed, plain): (Vec<_>, Vec<_>) =
            parameters.into_iter().partition(|(_, parameter)| 1 < parameter.dim());
        let first_plain = decayed.len();
        let (names, parameters): (Vec<_>, Vec<_>) = decayed.into_iter().chain(plain).unzip();
        let device = parameters.first().map_or(Device::Cpu, Tensor::device);
        let scalar = || Tensor::zeros([], (Kind::Float, device));
        let zeros = || parameters.iter().map(|parameter| parameter.detach().zeros_like()).collect();
        Self {
            options,
            averages: zeros(),
            squares: zeros(),
            names,
            parameters,
            first_plain,
            steps: 0,
            next: Next { number: scalar(), device_lr: device.is_cuda().then(scalar), lr: 0.0 },
        }
    }

    /// What is optimised, in the order in which gradients are given.
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves each parameter against its gradient, which is divided by `divisor` first (see [`crate::clip_divisor`]).
    /// The gradients are used up: the kernel may write to them.
    pub fn step(&mut self, gradients: Vec<Tensor>, divisor: &Tensor, lr: f64) {
        self.prepare(lr);
        self.apply(gradients, divisor);
        self.count();
    }

    /// The first third of [`Self::step`]: tells the device what is different in the next step.
    pub fn prepare(&mut self, lr: f64) {
        let Next { number, device_lr, lr: host_lr } = &mut self.next;
        *host_lr = lr;
        no_grad(|| {
            let _ = number.fill_((self.steps + 1) as f64);
            let _ = device_lr.as_mut().map(|device_lr| device_lr.fill_(lr));
        });
    }

    /// The second third: moves the parameters. It is the same in every step, so that it can be part of a
    /// [`crate::Recording`].
    pub fn apply(&self, gradients: Vec<Tensor>, divisor: &Tensor) {
        no_grad(|| {
            for (range, weight_decay) in [
                (0..self.first_plain, self.options.weight_decay),
                (self.first_plain..self.parameters.len(), 0.0),
            ] {
                native::adamw(&AdamwStep {
                    parameters: &self.parameters[range.clone()],
                    gradients: &gradients[range.clone()],
                    averages: &self.averages[range.clone()],
                    squares: &self.squares[range],
                    step: &self.next.number,
                    divisor,
                    device_lr: self.next.device_lr.as_ref(),
                    lr: self.next.lr,
                    betas: (self.options.beta1, self.options.beta2),
                    weight_decay,
                    eps: self.options.eps,
                });
            }
        });
    }

    /// The last third: counts the step.
    pub fn count(&mut self) {
        self.steps += 1;
    }

    /// The moments of each parameter by name: `exp_avg.<name>` and `exp_avg_sq.<name>`. With [`Self::steps`], they
    /// are the whole state.
    pub fn state(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let average = self.names.iter().zip(&self.averages).map(|(name, t)| (format!("exp_avg.{name}"), t));
        let square = self.names.iter().zip(&self.squares).map(|(name, t)| (format!("exp_avg_sq.{name}"), t));
        average.chain(square)
    }

    /// Says how many steps were taken, after the tensors of [`Self::state`] have been written to.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }
}

#[cfg(test)]
mod tests;
