//! A training step of TinyDiT, beside the same step in PyTorch on the same libtorch, written in three ways.

use std::time::{Duration, Instant};

use contract::dit::{Shape, TimeSampling};
use dit_trainer::{Dit, DitConfig, Drawing, RecordedSteps, StepOptions, patchify, recorded_step, train_step};
use tch::{Kind, Tensor};
use torch::{AdamW, AdamWOptions, Ema, Precision};

use crate::{
    alone::{self, Side, Work},
    figures::milliseconds,
    machine, pytorch,
    report::Table,
};

const CLASSES: usize = 10;
/// Rounds in turn, so that a noisy moment of the machine meets both sides.
const ROUNDS: usize = 2;
/// In which precision, how the other side is written, and whether our steps are replayed from a recording, on a GPU.
const CASES: [(&str, &str, bool); 8] = [
    ("fp32", "plain", false),
    ("fp32", "best", false),
    ("fp32", "compile", false),
    ("fp32", "compile", true),
    ("bf16", "plain", false),
    ("bf16", "best", false),
    ("bf16", "compile", false),
    ("bf16", "compile", true),
];

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let (device, place, threads) = alone::place();
    // A GPU would idle at a CPU's size.
    let (batch, warm_up, steps) = if device == "cuda" { (256, 20, 60) } else { (32, 2, 6) };
    let columns = [
        "TinyDiT, one step",
        "PyTorch, written as",
        "Rekindle",
        "PyTorch",
        "ratio",
        "Rekindle holds",
        "PyTorch holds",
    ];
    let mut table = Table::new(&columns);
    let is_due = |(precision, _, recorded): &(&str, &str, bool)| {
        machine::precisions().contains(precision) && (!recorded || device == "cuda")
    };
    for (precision, style, recorded) in CASES.into_iter().filter(is_due) {
        let work = Work { precision, device, batch, side: 128, threads, warm_up, steps };
        let (mut ours, mut theirs) = (Side::default(), Side::default());
        for _ in 0..ROUNDS {
            ours.add(&alone::run(if recorded { "recorded-dit" } else { "dit" }, &work)?)?;
            theirs
                .add(&pytorch::run("dit_step.py", &[vec![style.to_owned()], work.arguments()].concat())?)?;
        }
        table.row(&[
            &format!("{precision}, {batch} images of 128×128, {place}{}", alone::how(recorded)),
            &style,
            &milliseconds(ours.median()),
            &milliseconds(theirs.median()),
            &format!("{:.2}×", theirs.median().as_secs_f64() / ours.median().as_secs_f64()),
            &ours.memory(),
            &theirs.memory(),
        ]);
    }
    Ok(table)
}

/// The network that is measured.
pub(crate) fn tiny_dit(work: &Work) -> Dit {
    let precision = if work.precision == "bf16" { Precision::Bf16 } else { Precision::Fp32 };
    let shape = Shape { image_size: work.side as u32, patch_size: 16, width: 384, depth: 12, heads: 6 };
    Dit::new(DitConfig { shape, classes: CLASSES, precision }, torch::device(), 0)
}

/// Our step, as the trainer takes it, from a recording where it is `recorded`: noise, forward, backward, clipping, AdamW and
/// the average. The loss is read each time, which waits for the device.
pub(crate) fn steps(work: &Work, recorded: bool) -> Vec<Duration> {
    let device = torch::device();
    let model = tiny_dit(work);
    let average = model.frozen_copy();
    let averages = average.tensors();
    let (followed, averages) =
        model.parameters().map(|(name, tensor)| (tensor, averages[&name].shallow_clone())).unzip();
    let mut ema = Ema::new(followed, averages, 0.999);
    let options = AdamWOptions { beta2: 0.95, weight_decay: 0.01, ..AdamWOptions::default() };
    let mut optimizer = AdamW::new(model.parameters(), options);
    let drawing =
        Drawing { seed: 0, time: TimeSampling::Uniform, class_dropout: 0.1, no_class: CLASSES as i64 };
    let images = Tensor::rand([work.batch, 3, work.side, work.side], (Kind::Float, device)) * 2.0 - 1.0;
    let labels = Tensor::arange(work.batch, (Kind::Int64, device)).remainder(CLASSES as i64);
    let options = StepOptions { lr: 1e-4, clip_norm: 1.0, accumulation: 1 };
    let mut recording = recorded.then(|| RecordedSteps::new(device));
    let mut times = Vec::with_capacity(work.steps);
    for number in 0..work.warm_up + work.steps {
        let began = Instant::now();
        let patches = patchify(&images, model.config().shape.patch_size);
        let draw = drawing.draw(number as u64, &patches.size(), &labels);
        let outcome = match &mut recording {
            Some(recording) => recorded_step(recording, &model, &mut optimizer, (&patches, &draw), &options),
            None => train_step(&model, &mut optimizer, &patches, &draw, &options),
        };
        ema.follow(number as u64 + 1);
        outcome.loss.double_value(&[]);
        if work.warm_up <= number {
            times.push(began.elapsed());
        }
    }
    times
}
