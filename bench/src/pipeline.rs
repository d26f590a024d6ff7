//! From JPEGs on the disk to changed and normalised tensors, beside torchvision's transforms in a `DataLoader`.

use std::{
    convert::Infallible,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tch::Device;
use torch::{
    beside,
    images::{Augment, ImageFolder, ImageSet, Scale, TrainBatches},
};

use crate::{figures::Times, pytorch, report::Table};

const IMAGES: usize = 512;
const BATCH: usize = 64;
const SIDE: u32 = 128;
/// Epochs of each side in a round, and rounds in turn, so that a noisy moment of the machine meets both sides.
const EPOCHS: usize = 3;
const ROUNDS: usize = 2;

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let cores = torch::default_threads();
    let folder = tempfile::tempdir().context("there is no room for images")?;
    let count = IMAGES.to_string();
    let bytes = pytorch::run("photos.py", &[folder.path().display().to_string(), count])?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.extend(epochs(folder.path())?);
        let numbers = [cores as usize, BATCH, SIDE as usize, EPOCHS].map(|number| number.to_string());
        let arguments = [vec![folder.path().display().to_string()], numbers.to_vec()].concat();
        theirs.extend(pytorch::seconds(&pytorch::run("pipeline.py", &arguments)?, "seconds")?);
    }
    let rate = |times| {
        let epoch: Duration = Times::new(times).median();
        IMAGES as f64 / epoch.as_secs_f64() / f64::from(cores)
    };
    let (ours, theirs) = (rate(ours), rate(theirs));
    let mut table =
        Table::new(&["images a second on each core", "Rekindle", "torchvision, Pillow, DataLoader", "ratio"]);
    table.row(&[
        &format!("JPEG of 500×375, {bytes} bytes, to {SIDE}×{SIDE}; {cores} cores"),
        &format!("{ours:.0}"),
        &format!("{theirs:.0}"),
        &format!("{:.1}×", ours / theirs),
    ]);
    Ok(table)
}

/// How long our epochs take: each batch is made while the one before it becomes floats, as in training, and no pixels are
/// kept from one epoch to the next.
fn epochs(folder: &Path) -> anyhow::Result<Vec<Duration>> {
    let found = ImageFolder::open(folder, &[folder.into()], 0.0)?;
    let augment = Augment::Medium;
    let loaded = ImageSet::load(found.train, augment.fit(SIDE), 0, || Ok::<_, Infallible>(()))?;
    ensure!(
        loaded.set.files().len() == IMAGES && !loaded.set.is_in_memory(),
        "every image is read for each epoch"
    );
    let mut batches = TrainBatches::new(&loaded.set, augment, SIDE, BATCH, 0);
    let steps = batches.steps_per_epoch();
    let mut times = Vec::with_capacity(EPOCHS);
    for epoch in 0..EPOCHS as u64 {
        let began = Instant::now();
        let mut made = batches.batch(epoch * steps)?;
        for step in epoch * steps + 1..=(epoch + 1) * steps {
            let last = step == (epoch + 1) * steps;
            let (next, (images, _)) = beside(
                || (!last).then(|| batches.batch(step)),
                || made.to_device(Device::Cpu, Scale::ImageNet),
            );
            ensure!(images.size() == [BATCH as i64, 3, SIDE.into(), SIDE.into()], "a batch has its shape");
            if let Some(next) = next {
                made = next?;
            }
        }
        times.push(began.elapsed());
    }
    Ok(times)
}
