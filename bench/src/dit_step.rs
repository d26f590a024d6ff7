//! A training step of TinyDiT, beside the same step in PyTorch on the same libtorch, written in three ways.

use std::time::{Duration, Instant};

use contract::dit::{Shape, TimeSampling};
use dit_trainer::{Dit, DitConfig, Drawing, StepOptions, patchify, train_step};
use tch::{Device, Kind, Tensor};
use torch::{AdamW, AdamWOptions, Ema, Precision};

use crate::{
    figures::{Times, milliseconds},
    pytorch,
    report::Table,
};

const SHAPE: Shape = Shape { image_size: 128, patch_size: 16, width: 384, depth: 12, heads: 6 };
const CLASSES: usize = 10;
/// Rounds in turn, so that a noisy moment of the machine meets both sides.
const ROUNDS: usize = 2;
/// How the other side is written, and in which precisions.
const STYLES: [(&str, &[&str]); 3] =
    [("plain", &["fp32"]), ("best", &["fp32", "bf16"]), ("compile", &["fp32", "bf16"])];

/// How large a step is; a GPU would idle at a CPU's size.
#[derive(Clone, Copy)]
struct Size {
    batch: i64,
    warm_up: usize,
    steps: usize,
}

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let device = torch::device();
    let threads = torch::default_threads();
    torch::use_threads(threads);
    let size = match device {
        Device::Cuda(_) => Size { batch: 256, warm_up: 20, steps: 60 },
        _ => Size { batch: 32, warm_up: 2, steps: 6 },
    };
    let place = if device.is_cuda() { "GPU".into() } else { format!("{threads} threads") };
    let mut table = Table::new(&["TinyDiT, one step", "PyTorch, written as", "Rekindle", "PyTorch", "ratio"]);
    for (style, precisions) in STYLES {
        for precision in precisions {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.extend(steps(precision, device, size));
                theirs.extend(their_steps(style, precision, device, threads, size)?);
            }
            let (ours, theirs) = (Times::new(ours).median(), Times::new(theirs).median());
            table.row(&[
                &format!("{precision}, {} images of 128×128, {place}", size.batch),
                &style,
                &milliseconds(ours),
                &milliseconds(theirs),
                &format!("{:.2}×", theirs.as_secs_f64() / ours.as_secs_f64()),
            ]);
        }
    }
    Ok(table)
}

/// Our step, as the trainer takes it: noise, forward, backward, clipping, AdamW and the average. The loss is read each
/// time, which waits for the device.
fn steps(precision: &str, device: Device, size: Size) -> Vec<Duration> {
    let precision = if precision == "bf16" { Precision::Bf16 } else { Precision::Fp32 };
    let model = Dit::new(DitConfig { shape: SHAPE, classes: CLASSES, precision }, device, 0);
    let average = model.frozen_copy();
    let averages = average.tensors();
    let (followed, averages) =
        model.parameters().map(|(name, tensor)| (tensor, averages[&name].shallow_clone())).unzip();
    let mut ema = Ema::new(followed, averages, 0.999);
    let options = AdamWOptions { beta2: 0.95, weight_decay: 0.01, ..AdamWOptions::default() };
    let mut optimizer = AdamW::new(model.parameters(), options);
    let drawing =
        Drawing { seed: 0, time: TimeSampling::Uniform, class_dropout: 0.1, no_class: CLASSES as i64 };
    let images = Tensor::rand([size.batch, 3, 128, 128], (Kind::Float, device)) * 2.0 - 1.0;
    let labels = Tensor::arange(size.batch, (Kind::Int64, device)).remainder(CLASSES as i64);
    let options = StepOptions { lr: 1e-4, clip_norm: 1.0, accumulation: 1 };
    let mut times = Vec::with_capacity(size.steps);
    for number in 0..size.warm_up + size.steps {
        let began = Instant::now();
        let patches = patchify(&images, SHAPE.patch_size);
        let draw = drawing.draw(number as u64, &patches.size(), &labels);
        let outcome = train_step(&model, &mut optimizer, &patches, &draw, &options);
        ema.follow(number as u64 + 1);
        outcome.loss.double_value(&[]);
        if size.warm_up <= number {
            times.push(began.elapsed());
        }
    }
    times
}

fn their_steps(
    style: &str,
    precision: &str,
    device: Device,
    threads: u32,
    size: Size,
) -> anyhow::Result<Vec<Duration>> {
    let device = if device.is_cuda() { "cuda" } else { "cpu" };
    let mut arguments = vec![style.to_owned(), precision.to_owned(), device.to_owned()];
    arguments.extend([size.batch.to_string(), threads.to_string()]);
    arguments.extend([size.warm_up, size.steps].map(|number| number.to_string()));
    pytorch::seconds(&pytorch::run("dit_step.py", &arguments)?, "seconds")
}
