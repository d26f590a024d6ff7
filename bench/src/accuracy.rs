//! How good classifiers become that are trained from scratch with the default recipe: no timing, but figures that
//! `docs/recipes.md` has to be able to quote. The folders of images are not in this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use classifier_trainer::Classifier;
use local_worker::{Job, StopAt};
use serde_json::{Value, json};

use crate::{machine, report::Table};

/// Where the folders are.
const FOLDERS: &str = "REKINDLE_BENCH_IMAGES";
const SEEDS: [u64; 3] = [0, 1, 2];

/// Trains everything; after each folder `keep` gets the table so far, since all of it takes hours.
pub(crate) fn measure(keep: impl Fn(&Table) -> anyhow::Result<()>) -> anyhow::Result<Table> {
    torch::set_up();
    let folders = folders()?;
    let mut table = Table::new(&["images", "set otherwise than by default", "accuracy by seed", "mean"]);
    for (name, mut params) in cases() {
        params["precision"] = json!(machine::fastest_precision());
        let folder = folders.join(name);
        if !folder.is_dir() {
            eprintln!("{} is not here; left out", folder.display());
            continue;
        }
        let mut accuracies = Vec::new();
        for seed in SEEDS {
            let accuracy = accuracy(&folder, &params, seed)?;
            eprintln!("{name}, seed {seed}: {:.1} %", accuracy * 100.0);
            accuracies.push(accuracy);
        }
        let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
        let shown: Vec<String> = accuracies.iter().map(|share| format!("{:.1} %", share * 100.0)).collect();
        table.row(&[&name, &format!("`{params}`"), &shown.join(", "), &format!("{:.1} %", mean * 100.0)]);
        keep(&table)?;
    }
    Ok(table)
}

/// Where the folders of images are.
///
/// # Errors
/// When nobody has said it, or it is not there.
pub(crate) fn folders() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os(FOLDERS)
        .with_context(|| format!("{FOLDERS} has to name the folder with the images"))?;
    let named = Path::new(&named);
    named.canonicalize().with_context(|| format!("{FOLDERS} names {}", named.display()))
}

/// What is trained on, and what a job says of it besides.
fn cases() -> [(&'static str, Value); 3] {
    [
        ("oxford-pets-3-160px", json!({ "image_size": 96, "epochs": 60, "batch_size": 32 })),
        ("catdog-100px", json!({ "image_size": 64, "epochs": 100, "batch_size": 32, "augment": "strong" })),
        ("mnist-png", json!({ "image_size": 32, "augment": "light", "epochs": 2 })),
    ]
}

/// The share of the held-out images that the network of the last epoch tells rightly; the best epoch's would be chosen by
/// the images that judge it.
fn accuracy(folder: &Path, params: &Value, seed: u64) -> anyhow::Result<f64> {
    let trainer = Classifier::new(torch::default_threads());
    let mut params = params.clone();
    params["data"] = json!(folder);
    params["seed"] = json!(seed);
    let mut job = Job::new(trainer, params);
    job.roots.push(folder.into());
    let result = job.attempt(None, StopAt::Never).outcome?;
    let accuracy = *result.metrics.get("val_accuracy").context("a run tells its accuracy")?;
    ensure!(accuracy.is_finite(), "an accuracy is a number");
    Ok(accuracy)
}
