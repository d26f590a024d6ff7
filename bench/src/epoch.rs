//! Epochs of real training on real photos, reading, validation and checkpoint included, beside a PyTorch script with its
//! `DataLoader`. The photos are not in this repository.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use classifier_trainer::Classifier;
use local_worker::{Job, StopAt};
use serde_json::json;

use crate::{
    accuracy, alone,
    figures::{Times, milliseconds},
    machine, pytorch,
    report::Table,
};

/// What both sides learn from, at which size, and in which batches.
const FOLDER: &str = "catdog-100px";
const SIDE: u32 = 64;
const BATCH: u32 = 64;
/// Epochs of the longer run, from which those after the first are told.
const EPOCHS: u32 = 3;
/// Rounds in turn, so that a noisy moment of the machine meets both sides.
const ROUNDS: usize = 3;

/// Both sides' runs of one epoch, from the process's start to its end, and their further epochs.
#[derive(Default)]
struct Taken {
    first: Vec<Duration>,
    further: Vec<Duration>,
}

pub(crate) fn measure() -> anyhow::Result<Table> {
    let folder = accuracy::folders()?.join(FOLDER);
    let cores = torch::default_threads();
    let columns = ["ResNet-18 on 1,999 photos of cats and dogs", "Rekindle", "PyTorch, DataLoader", "ratio"];
    let mut table = Table::new(&columns);
    for &precision in machine::precisions() {
        let (mut ours, mut theirs) = (Taken::default(), Taken::default());
        for _ in 0..ROUNDS {
            let whole = |epochs: u32| {
                let words = [folder.display().to_string(), precision.into(), epochs.to_string()];
                let began = Instant::now();
                alone::start("epoch", &words).map(|_| began.elapsed())
            };
            let one = whole(1)?;
            ours.further.push((whole(EPOCHS)?.saturating_sub(one)) / (EPOCHS - 1));
            ours.first.push(one);

            let script = |epochs: u32| {
                let words = [folder.display().to_string(), precision.into()];
                let numbers = [BATCH, SIDE, cores, epochs].map(|number| number.to_string());
                pytorch::run("epoch.py", &[&words[..], &numbers].concat())
            };
            let began = Instant::now();
            script(1)?;
            theirs.first.push(began.elapsed());
            theirs.further.extend(pytorch::seconds(&script(EPOCHS)?, "seconds")?.into_iter().skip(1));
        }
        for (what, ours, theirs) in [
            ("one epoch, from the process's start to its end", ours.first, theirs.first),
            ("each further epoch", ours.further, theirs.further),
        ] {
            let (ours, theirs) = (Times::new(ours).median(), Times::new(theirs).median());
            table.row(&[
                &format!("{what}; {precision}, {SIDE}×{SIDE}, {cores} cores"),
                &milliseconds(ours),
                &milliseconds(theirs),
                &format!("{:.2}×", theirs.as_secs_f64() / ours.as_secs_f64()),
            ]);
        }
    }
    Ok(table)
}

/// Our trainer's run, in a process of its own: `FOLDER PRECISION EPOCHS`.
///
/// # Errors
/// When it fails.
pub(crate) fn run(words: &[String]) -> anyhow::Result<()> {
    let [folder, precision, epochs] = words else { anyhow::bail!("three words are needed") };
    torch::set_up();
    let params = json!({
        "data": folder,
        "precision": precision,
        "epochs": epochs.parse::<u32>().context("epochs are a number")?,
        "image_size": SIDE,
        "batch_size": BATCH,
    });
    let trainer = Classifier::new(torch::default_threads());
    let mut job = Job::new(trainer, params);
    job.roots.push(PathBuf::from(Path::new(folder)));
    let result = job.attempt(None, StopAt::Never).outcome?;
    println!("{}", json!({ "metrics": result.metrics }));
    Ok(())
}
