//! Flow matching (Lipman et al., arXiv 2210.02747) along straight lines from noise, at time 0, to images, at time 1: the
//! network learns the velocity on the way, image less noise.

use contract::dit::TimeSampling;
use tch::Tensor;
use torch::random::{self, Purpose, keyed, normal_on};

/// What is drawn for the images of a step, each by its place in the batch.
#[derive(Debug)]
pub struct Draw {
    /// What each begins as: (N, T, D).
    pub noise: Tensor,
    /// How far each is on its way: (N).
    pub times: Tensor,
    /// Of which class the network is told each is: (N).
    pub labels: Tensor,
}

/// How draws are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// The seed of the run.
    pub seed: u64,
    /// How times are drawn.
    pub time: TimeSampling,
    /// The share whose class is not told.
    pub class_dropout: f64,
    /// The label that tells no class.
    pub no_class: i64,
}

impl Drawing {
    /// The draw for the step with this index, for patches of this shape (N, T, D) and labels (N), where these are.
    pub fn draw(&self, step: u64, shape: &[i64], labels: &Tensor) -> Draw {
        let device = labels.device();
        let count = shape[0] as usize;
        let mut numbers = keyed(self.seed, Purpose::Time, (step, 0));
        let times: Vec<f32> = match self.time {
            TimeSampling::Uniform => random::uniform(&mut numbers, count),
            TimeSampling::LogitNormal => {
                random::normal(&mut numbers, count).into_iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect()
            }
        };
        let told: Vec<bool> = random::uniform(&mut numbers, count)
            .into_iter()
            .map(|chance| self.class_dropout <= f64::from(chance))
            .collect();
        let no_class = labels.full_like(self.no_class);
        Draw {
            noise: normal_on(device, shape, self.seed, Purpose::Noise, (step, 0)),
            times: Tensor::from_slice(&times).to_device(device),
            labels: labels.where_self(&Tensor::from_slice(&told).to_device(device), &no_class),
        }
    }
}

impl Draw {
    /// Those of some of the images.
    pub(crate) fn part(&self, start: i64, length: i64) -> Self {
        let part = |tensor: &Tensor| tensor.narrow(0, start, length);
        Self { noise: part(&self.noise), times: part(&self.times), labels: part(&self.labels) }
    }

    /// Images (N, T, D) as far on their way as was drawn, and their velocities, of the same shape.
    pub(crate) fn on_the_way(&self, images: &Tensor) -> (Tensor, Tensor) {
        let velocity = images - &self.noise;
        (self.noise.addcmul(&velocity, &self.times.view([-1, 1, 1])), velocity)
    }
}

/// The draw that images are validated with, always the same: their times lie evenly between 0 and 1, and all classes are
/// told. `first` is the first image's place among all.
pub(crate) fn validation_draw(seed: u64, first: usize, shape: &[i64], labels: &Tensor) -> Draw {
    let device = labels.device();
    let count = shape[0] as usize;
    // The golden ratio spreads any number of places evenly, whatever their order.
    let time = |place: usize| ((place as f64 + 0.5) * 0.618_033_988_749_894_9).fract() as f32;
    let times: Vec<f32> = (first..first + count).map(time).collect();
    let noise: Vec<Tensor> = (first..first + count)
        .map(|place| normal_on(device, &shape[1..], seed, Purpose::Validation, (place as u64, 0)))
        .collect();
    Draw {
        noise: Tensor::stack(&noise, 0),
        times: Tensor::from_slice(&times).to_device(device),
        labels: labels.shallow_clone(),
    }
}
