//! That the objective is right: on data whose velocities are known in closed form, they are what is learned.

use contract::dit::{Shape, Solver, TimeSampling};
use dit_trainer::{Dit, DitConfig, Drawing, Sampler, StepOptions, noise, train_step};
use tch::{Device, Kind, Tensor, no_grad};
use torch::{
    AdamW, AdamWOptions, Precision, WarmupCosine,
    random::{Purpose, normal_on},
};

/// Two Gaussians in three dimensions: an "image" is one pixel with three channels. The first lies at [0.8, 0.4, -0.6], the
/// second at the same place mirrored; both have this deviation.
const MEAN: [f32; 3] = [0.8, 0.4, -0.6];
const DEVIATION: f64 = 0.2;
const STEPS: u64 = 2_500;
const BATCH: i64 = 256;
const SEED: u64 = 11;

/// Points of each Gaussian by turns, and which they are of: (N, 1, 3), (N).
fn points(step: u64) -> (Tensor, Tensor) {
    let labels = Tensor::arange(BATCH, (Kind::Int64, Device::Cpu)).remainder(2);
    let spread = normal_on(Device::Cpu, &[BATCH, 1, 3], SEED, Purpose::Augmentation, (step, 0));
    (means(&labels) + spread * DEVIATION, labels)
}

fn means(labels: &Tensor) -> Tensor {
    let signs = (labels * -2 + 1).to_kind(Kind::Float).view([-1, 1, 1]);
    signs * Tensor::from_slice(&MEAN)
}

/// The velocity at points (N, 1, 3) at one time, of the Gaussian with these means: the expected difference of image and
/// noise, both Gaussian given their sum.
fn velocity_of_one(points: &Tensor, time: f64, means: &Tensor) -> Tensor {
    let variance = (time * DEVIATION).powi(2) + (1.0 - time).powi(2);
    let beside = points - means * time;
    means + beside * ((time * DEVIATION.powi(2) - (1.0 - time)) / variance)
}

/// The same of both Gaussians together: each counts as much as the point is likely to be its own.
fn velocity_of_both(points: &Tensor, time: f64) -> Tensor {
    let variance = (time * DEVIATION).powi(2) + (1.0 - time).powi(2);
    let count = points.size()[0];
    let both = [0, 1].map(|label| means(&Tensor::full([count], label, (Kind::Int64, Device::Cpu))));
    let likelihood = both.each_ref().map(|means| {
        (points - means * time).square().sum_dim_intlist(-1, true, Kind::Float) / (-2.0 * variance)
    });
    let shares = Tensor::stack(&likelihood, 0).softmax(0, Kind::Float);
    let velocities = both.map(|means| velocity_of_one(points, time, &means));
    (Tensor::stack(&velocities, 0) * shares).sum_dim_intlist(0, false, Kind::Float)
}

fn learned() -> Dit {
    torch::use_threads(1);
    let shape = Shape { image_size: 1, patch_size: 1, width: 64, depth: 2, heads: 2 };
    let config = DitConfig { shape, classes: 2, precision: Precision::Fp32 };
    let model = Dit::new(config, Device::Cpu, SEED);
    let options = AdamWOptions { beta2: 0.95, weight_decay: 0.0, ..AdamWOptions::default() };
    let mut optimizer = AdamW::new(model.parameters(), options);
    let schedule = WarmupCosine { peak: 3e-3, warmup: 50, total: STEPS };
    let drawing = Drawing {
        seed: SEED,
        time: TimeSampling::Uniform,
        class_dropout: 0.3,
        no_class: model.config().no_class(),
    };
    for step in 0..STEPS {
        let (points, labels) = points(step);
        let draw = drawing.draw(step, &points.size(), &labels);
        let options = StepOptions { lr: schedule.at(step), clip_norm: 1.0, accumulation: 1 };
        train_step(&model, &mut optimizer, &points, &draw, &options);
    }
    model
}

#[test]
fn what_is_learned_of_two_gaussians_is_their_velocity_in_closed_form() {
    let model = learned();
    for time in [0.1, 0.3, 0.5, 0.7, 0.9] {
        // Points where there are any at that time.
        let (images, labels) = points(STEPS + 1);
        let start = normal_on(Device::Cpu, &[BATCH, 1, 3], SEED, Purpose::Noise, (STEPS + 1, 0));
        let points = start * (1.0 - time) + images * time;
        let times = Tensor::full([BATCH], time, (Kind::Float, Device::Cpu));
        let check = |name: &str, labels: &Tensor, expected: &Tensor| {
            let found = no_grad(|| model.forward(&points, &times, labels));
            let error = (found - expected).square().mean(Kind::Float).double_value(&[]);
            let size = expected.square().mean(Kind::Float).double_value(&[]);
            assert!(error < 0.02 * size, "{name} at {time}: {error:.5} of {size:.5}");
        };
        check("told", &labels, &velocity_of_one(&points, time, &means(&labels)));
        check("untold", &labels.full_like(2), &velocity_of_both(&points, time));
    }

    // What is generated lies where it was asked for, with either solver.
    let (solvers, count) = ([(Solver::Euler, 60), (Solver::Heun, 20)], 256);
    for (solver, steps) in solvers {
        for label in [0, 1] {
            let labels = Tensor::full([count], label, (Kind::Int64, Device::Cpu));
            let start = noise(&model, SEED, count as usize);
            let sampler = Sampler { solver, steps, guidance: 1.0 };
            let images = sampler.sample(&model, &start, &labels, || Ok::<(), ()>(())).unwrap();
            let beside = images.mean_dim([0].as_slice(), false, Kind::Float)
                - means(&labels.narrow(0, 0, 1)).squeeze();
            assert!(beside.abs().max().double_value(&[]) < 0.06, "{solver:?}: {beside:?}");
            let deviation = images.std_dim([0].as_slice(), true, false);
            assert!(
                (&deviation - DEVIATION).abs().max().double_value(&[]) < 0.06,
                "{solver:?}: {deviation:?}"
            );
        }
    }
}
