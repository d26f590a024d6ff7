//! A training step of ResNet-18, beside the same step in PyTorch on the same libtorch.

use std::time::{Duration, Instant};

use classifier_trainer::{RecordedSteps, ResNet, ResNetConfig, StepOptions, recorded_step, train_step};
use contract::classifier::{Arch, Stem};
use tch::{Kind, Tensor};
use torch::{AdamW, AdamWOptions, Precision, channels_last};

use crate::{
    alone::{self, Side, Work},
    figures::milliseconds,
    machine, pytorch,
    report::Table,
};

const CLASSES: usize = 10;
/// How the other side is written: in whichever memory layout it is faster in, and that through `torch.compile`; whether our
/// steps are replayed from a recording, on a GPU; and the rounds in turn, so that a noisy moment of the machine meets both
/// sides. To compile takes a minute, and a step as short as these needs many rounds.
const STYLES: [(&str, &[&str], bool, usize); 3] = [
    ("best", &["contiguous", "channels-last"], false, 5),
    ("compile", &["compile-channels-last"], false, 2),
    ("compile", &["compile-channels-last"], true, 2),
];

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let (device, place, threads) = alone::place();
    // A GPU would idle at a CPU's size.
    let (batch, warm_up, steps) = if device == "cuda" { (128, 20, 100) } else { (16, 3, 12) };
    let columns = [
        "ResNet-18, one step",
        "PyTorch, written as",
        "Rekindle",
        "PyTorch",
        "ratio",
        "Rekindle holds",
        "PyTorch holds",
    ];
    let mut table = Table::new(&columns);
    for (precision, side) in
        machine::precisions().iter().flat_map(|precision| [(*precision, 64), (*precision, 128)])
    {
        let work = Work { precision, device, batch, side, threads, warm_up, steps };
        for (style, layouts, recorded, rounds) in
            STYLES.into_iter().filter(|case| !case.2 || device == "cuda")
        {
            let mut ours = Side::default();
            let mut theirs: Vec<Side> = layouts.iter().map(|_| Side::default()).collect();
            for _ in 0..rounds {
                ours.add(&alone::run(if recorded { "recorded-resnet" } else { "resnet" }, &work)?)?;
                for (theirs, layout) in theirs.iter_mut().zip(layouts) {
                    let arguments = [vec![(*layout).to_owned()], work.arguments()].concat();
                    theirs.add(&pytorch::run("step.py", &arguments)?)?;
                }
            }
            let theirs = theirs.into_iter().min_by_key(Side::median).unwrap_or_default();
            table.row(&[
                &format!("{precision}, {batch} images of {side}×{side}, {place}{}", alone::how(recorded)),
                &style,
                &milliseconds(ours.median()),
                &milliseconds(theirs.median()),
                &format!("{:.2}×", theirs.median().as_secs_f64() / ours.median().as_secs_f64()),
                &ours.memory(),
                &theirs.memory(),
            ]);
        }
    }
    Ok(table)
}

/// Our step, as the classifier takes it, from a recording where it is `recorded`; the loss is read each time, which waits for
/// the device.
pub(crate) fn steps(work: &Work, recorded: bool) -> Vec<Duration> {
    let precision = if work.precision == "bf16" { Precision::Bf16 } else { Precision::Fp32 };
    let device = torch::device();
    let config = ResNetConfig { arch: Arch::Resnet18, stem: Stem::Imagenet, classes: CLASSES, precision };
    let model = ResNet::new(config, device, 0);
    let options = AdamWOptions { weight_decay: 0.05, ..AdamWOptions::default() };
    let mut optimizer = AdamW::new(model.parameters(), options);
    let images = channels_last(&Tensor::randn([work.batch, 3, work.side, work.side], (Kind::Float, device)));
    let labels = Tensor::arange(work.batch, (Kind::Int64, device)).remainder(CLASSES as i64);
    let options = StepOptions { lr: 1e-3, clip_norm: 1.0, label_smoothing: 0.1, accumulation: 1 };
    let mut recording = recorded.then(|| RecordedSteps::new(device));
    let mut times = Vec::with_capacity(work.steps);
    for number in 0..work.warm_up + work.steps {
        let began = Instant::now();
        let outcome = match &mut recording {
            Some(recording) => recorded_step(recording, &model, &mut optimizer, (&images, &labels), &options),
            None => train_step(&model, &mut optimizer, &images, &labels, &options),
        };
        outcome.loss.double_value(&[]);
        if work.warm_up <= number {
            times.push(began.elapsed());
        }
    }
    times
}
