//! Whole runs of the classifier on a folder of images, reading, validation and checkpoint included: Rekindle's trainer, and a
//! PyTorch script with its `DataLoader`, each in a process of its own.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use classifier_trainer::Classifier;
use contract::StopCause;
use local_worker::{Job, StopAt};
use serde_json::{Value, json};

use crate::{alone, pytorch};

/// What both sides train, with the classifier's default recipe otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeRun<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) precision: &'static str,
    pub(crate) stem: &'static str,
    pub(crate) augment: &'static str,
    pub(crate) batch: u32,
    pub(crate) side: u32,
    pub(crate) epochs: u32,
    /// The share of the images held out that has to be told rightly for a run to end before its last epoch.
    pub(crate) target: f64,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    /// From the process's start to its end.
    pub(crate) took: Duration,
    /// The accuracy after each epoch, on the images held out.
    pub(crate) accuracies: Vec<f64>,
    /// How long each epoch took, where the script tells.
    pub(crate) epochs: Vec<Duration>,
}

impl WholeRun<'_> {
    /// Rekindle's.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn ours(&self) -> anyhow::Result<Came> {
        let params = json!({
            "data": self.folder,
            "precision": self.precision,
            "stem": self.stem,
            "augment": self.augment,
            "batch_size": self.batch,
            "image_size": self.side,
            "epochs": self.epochs,
        });
        let began = Instant::now();
        let answer = alone::start("whole-run", &[params.to_string(), self.target.to_string()])?;
        came(began, &answer)
    }

    /// PyTorch's.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn theirs(&self) -> anyhow::Result<Came> {
        let (device, _, cores) = alone::place();
        let words = [&self.folder.display().to_string(), self.precision, device, self.stem, self.augment];
        let numbers = [self.batch, self.side, cores, self.epochs].map(|number| number.to_string());
        let words = words.map(str::to_owned);
        let began = Instant::now();
        let answer = pytorch::run("train.py", &[&words[..], &numbers, &[self.target.to_string()]].concat())?;
        came(began, &answer)
    }
}

fn came(began: Instant, answer: &Value) -> anyhow::Result<Came> {
    let took = began.elapsed();
    let accuracies = answer["accuracies"].as_array().context("a run tells its accuracies")?;
    Ok(Came {
        took,
        accuracies: accuracies.iter().filter_map(Value::as_f64).collect(),
        epochs: pytorch::seconds(answer, "seconds").unwrap_or_default(),
    })
}

/// Our trainer's run, in this process: its parameters, and at which accuracy it may end.
///
/// # Errors
/// When it fails.
pub(crate) fn run(words: &[String]) -> anyhow::Result<()> {
    const ACCURACY: &str = "val_accuracy";
    let [params, target] = words else { anyhow::bail!("parameters and a target are needed") };
    let params: Value = serde_json::from_str(params).context("parameters are JSON")?;
    let target = target.parse().context("a target is a number")?;
    let data = PathBuf::from(params["data"].as_str().context("a folder is a text")?);
    torch::set_up();
    let mut job = Job::new(Classifier::new(torch::default_threads()), params);
    job.roots.push(data);
    let attempt = job.attempt(None, StopAt::Figure(ACCURACY, target, StopCause::EarlyStopped));
    let accuracies: Vec<f64> =
        attempt.recorder.metrics.iter().filter_map(|(_, figures)| figures.get(ACCURACY).copied()).collect();
    if accuracies.last().is_none_or(|&last| last < target) {
        attempt.outcome?;
    }
    println!("{}", json!({ "accuracies": accuracies }));
    Ok(())
}
