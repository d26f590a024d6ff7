//! A training step of ResNet-18, beside the same step in PyTorch on the same libtorch.

use std::time::{Duration, Instant};

use classifier_trainer::{ResNet, ResNetConfig, StepOptions, train_step};
use contract::classifier::{Arch, Stem};
use tch::{Device, Kind, Tensor};
use torch::{AdamW, AdamWOptions, Precision, channels_last};

use crate::{
    figures::{Times, milliseconds},
    pytorch,
    report::Table,
};

const CLASSES: usize = 10;
/// Rounds in turn, so that a noisy moment of the machine meets both sides.
const ROUNDS: usize = 3;

/// How large a step is; a GPU would idle at a CPU's size.
#[derive(Clone, Copy)]
struct Size {
    batch: i64,
    side: i64,
    warm_up: usize,
    steps: usize,
}

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let device = torch::device();
    let threads = torch::default_threads();
    torch::use_threads(threads);
    let size = match device {
        Device::Cuda(_) => Size { batch: 128, side: 224, warm_up: 20, steps: 100 },
        _ => Size { batch: 16, side: 64, warm_up: 3, steps: 15 },
    };
    let mut table = Table::new(&["ResNet-18, one step", "Rekindle", "PyTorch", "ratio"]);
    for (name, precision) in [("fp32", Precision::Fp32), ("bf16", Precision::Bf16)] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.extend(steps(precision, device, size));
            theirs.push(their_fastest(name, device, threads, size)?);
        }
        let ours = Times::new(ours).median();
        let theirs = Times::new(theirs).median();
        let Size { batch, side, .. } = size;
        table.row(&[
            &format!("{name}, {batch} images of {side}×{side}, {}", device_name(device, threads)),
            &milliseconds(ours),
            &milliseconds(theirs),
            &format!("{:.2}×", theirs.as_secs_f64() / ours.as_secs_f64()),
        ]);
    }
    Ok(table)
}

/// Our step, as the classifier takes it; the loss is read each time, which waits for the device.
fn steps(precision: Precision, device: Device, size: Size) -> Vec<Duration> {
    let config = ResNetConfig { arch: Arch::Resnet18, stem: Stem::Imagenet, classes: CLASSES, precision };
    let model = ResNet::new(config, device, 0);
    let options = AdamWOptions { weight_decay: 0.05, ..AdamWOptions::default() };
    let mut optimizer = AdamW::new(model.parameters(), options);
    let images = channels_last(&Tensor::randn([size.batch, 3, size.side, size.side], (Kind::Float, device)));
    let labels = Tensor::arange(size.batch, (Kind::Int64, device)).remainder(CLASSES as i64);
    let options = StepOptions { lr: 1e-3, clip_norm: 1.0, label_smoothing: 0.1, accumulation: 1 };
    let mut times = Vec::with_capacity(size.steps);
    for number in 0..size.warm_up + size.steps {
        let began = Instant::now();
        let outcome = train_step(&model, &mut optimizer, &images, &labels, &options);
        outcome.loss.double_value(&[]);
        if size.warm_up <= number {
            times.push(began.elapsed());
        }
    }
    times
}

/// PyTorch's median step, in the layout that suits it better.
fn their_fastest(precision: &str, device: Device, threads: u32, size: Size) -> anyhow::Result<Duration> {
    let device = if device.is_cuda() { "cuda" } else { "cpu" };
    let mut fastest = Duration::MAX;
    for layout in ["contiguous", "channels-last"] {
        let mut arguments = vec![precision.to_owned(), layout.to_owned(), device.to_owned()];
        let numbers = [size.batch, size.side, CLASSES as i64, i64::from(threads)];
        arguments.extend(numbers.map(|number| number.to_string()));
        arguments.extend([size.warm_up, size.steps].map(|number| number.to_string()));
        let answer = pytorch::run("step.py", &arguments)?;
        fastest = fastest.min(Times::new(pytorch::seconds(&answer, "seconds")?).median());
    }
    Ok(fastest)
}

fn device_name(device: Device, threads: u32) -> String {
    if device.is_cuda() { "GPU".into() } else { format!("{threads} threads") }
}
