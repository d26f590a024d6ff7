//! Generating images: from noise along the velocities that the network predicts.

use contract::dit::{DitParams, Solver};
use tch::{Device, Kind, Tensor, no_grad};
use torch::random::{Purpose, normal_on};

use crate::{Dit, model::unpatchify};

/// How images are generated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// How a step is taken.
    pub solver: Solver,
    /// Steps from noise to image.
    pub steps: u32,
    /// How strongly images are drawn towards their class: 1 not at all, 0 not even told it (Ho & Salimans, arXiv
    /// 2207.12598).
    pub guidance: f64,
}

/// The noise that `count` images begin as, always the same for the same seed: (N, T, D).
pub fn noise(model: &Dit, seed: u64, count: usize) -> Tensor {
    let shape = [model.config().tokens(), model.config().patch_values()];
    let one = |place: usize| normal_on(model.device(), &shape, seed, Purpose::Sample, (place as u64, 0));
    Tensor::stack(&(0..count).map(one).collect::<Vec<_>>(), 0)
}

/// Patches (N, T, D) of values from -1 to 1 as pictures: in each, the pixels row by row, three bytes for each.
pub fn pictures(model: &Dit, patches: &Tensor) -> Vec<Vec<u8>> {
    let images = unpatchify(patches, model.config().shape.patch_size); // (N, 3, H, W)
    let bytes = ((images + 1.0) * 127.5).round().clamp(0.0, 255.0).to_kind(Kind::Uint8);
    let bytes = bytes.permute([0, 2, 3, 1]).to_device(Device::Cpu).contiguous();
    bytes.unbind(0).iter().map(|image| Vec::try_from(image.flatten(0, -1)).expect("it holds bytes")).collect()
}

impl Sampler {
    /// As a job's parameters say.
    pub fn of(params: &DitParams) -> Self {
        Self { solver: params.solver, steps: params.solver_steps, guidance: params.guidance }
    }

    /// Turns noise (N, T, D) into images of the classes `labels` (N), as patches (N, T, D) of values from -1 to 1.
    /// `meanwhile` is called before each step.
    ///
    /// # Errors
    /// What `meanwhile` returns ends it.
    pub fn sample<E>(
        &self,
        model: &Dit,
        noise: &Tensor,
        labels: &Tensor,
        mut meanwhile: impl FnMut() -> Result<(), E>,
    ) -> Result<Tensor, E> {
        let mut images = noise.shallow_clone();
        let length = 1.0 / f64::from(self.steps);
        for step in 0..self.steps {
            meanwhile()?;
            let (start, end) = (f64::from(step) * length, f64::from(step + 1) * length);
            images = no_grad(|| {
                let slope = self.velocity(model, &images, start, labels);
                let slope = match self.solver {
                    Solver::Euler => slope,
                    Solver::Heun => {
                        let ahead = &images + &slope * length;
                        (slope + self.velocity(model, &ahead, end, labels)) / 2.0
                    }
                };
                images + slope * length
            });
        }
        Ok(images.clamp(-1.0, 1.0))
    }

    fn velocity(&self, model: &Dit, images: &Tensor, time: f64, labels: &Tensor) -> Tensor {
        let count = images.size()[0];
        let times = |count: i64| Tensor::full([count], time, (images.kind(), images.device()));
        if self.guidance == 1.0 {
            return model.forward(images, &times(count), labels);
        }
        let nothing = labels.full_like(model.config().no_class());
        let both = model.forward(
            &Tensor::cat(&[images, images], 0),
            &times(2 * count),
            &Tensor::cat(&[labels, &nothing], 0),
        );
        let (told, untold) = (both.narrow(0, 0, count), both.narrow(0, count, count));
        &untold + (told - &untold) * self.guidance
    }
}
