//! What is measured in a process of its own, as the other side is: its times, its memory, how long it takes to start.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use classifier_trainer::Classifier;
use dit_trainer::DitTrainer;
use serde_json::{Value, json};
use worker::Trainer;

use crate::{dit_step, figures::Times, limit, step, whole_run};

/// The word that makes this program the measured process.
pub(crate) const ALONE: &str = "alone";

/// Which training steps, how many images each has, and how large those are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    pub(crate) precision: &'static str,
    pub(crate) device: &'static str,
    pub(crate) batch: i64,
    pub(crate) side: i64,
    pub(crate) threads: u32,
    pub(crate) warm_up: usize,
    pub(crate) steps: usize,
}

impl Work {
    /// As both sides read it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let words = [self.precision, self.device].map(str::to_owned);
        let numbers = [self.batch, self.side, i64::from(self.threads)].map(|number| number.to_string());
        let counts = [self.warm_up, self.steps].map(|number| number.to_string());
        [&words[..], &numbers, &counts].concat()
    }

    fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let [precision, device, numbers @ ..] = arguments else { bail!("say what to do") };
        let numbers: Vec<u32> = numbers.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let [batch, side, threads, warm_up, steps] = numbers[..] else { bail!("five numbers are needed") };
        Ok(Self {
            precision: if precision == "bf16" { "bf16" } else { "fp32" },
            device: if device == "cuda" { "cuda" } else { "cpu" },
            batch: batch.into(),
            side: side.into(),
            threads,
            warm_up: warm_up as usize,
            steps: steps as usize,
        })
    }
}

/// Starts this program again to measure one thing, and reads what it tells.
///
/// # Errors
/// When it fails.
pub(crate) fn run(what: &str, work: &Work) -> anyhow::Result<Value> {
    start(what, &work.arguments())
}

/// The same, with other arguments.
///
/// # Errors
/// When it fails.
pub(crate) fn start(what: &str, arguments: &[String]) -> anyhow::Result<Value> {
    let here = std::env::current_exe().context("this program cannot tell where it lies")?;
    let output = Command::new(here)
        .args([ALONE, what])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .context("this program does not start again")?;
    ensure!(output.status.success(), "{what} failed");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{what} told something else than JSON"))
}

/// The measured process.
///
/// # Errors
/// When there is no such thing to measure.
pub(crate) fn measured(arguments: &[String]) -> anyhow::Result<()> {
    let [what, work @ ..] = arguments else { bail!("say what to measure") };
    if what == "whole-run" {
        return whole_run::run(work);
    }
    let work = Work::parse(work)?;
    torch::set_up();
    torch::use_threads(work.threads);
    let times = match what.as_str() {
        "resnet" => step::steps(&work, false),
        "recorded-resnet" => step::steps(&work, true),
        "dit" => dit_step::steps(&work, false),
        "recorded-dit" => dit_step::steps(&work, true),
        "products" => limit::products(&work),
        "convolutions" => limit::convolutions(&work),
        "warm-resnet" => warm(&Classifier::new(work.threads), || step::steps(&work, false)),
        "warm-dit" => warm(&DitTrainer::new(work.threads), || dit_step::steps(&work, false)),
        other => bail!("{other:?} is not measured here"),
    };
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    let bytes = torch::peak_mib(torch::device()).unwrap_or_default() * (1 << 20);
    println!("{}", json!({ "seconds": seconds, "bytes": bytes }));
    Ok(())
}

/// How long all of it takes in a process that has waited for work before.
fn warm(trainer: &impl Trainer, steps: impl FnOnce() -> Vec<Duration>) -> Vec<Duration> {
    trainer.warm_up();
    let began = Instant::now();
    steps();
    vec![began.elapsed()]
}

/// Both sides' times and memory, gathered over rounds.
#[derive(Debug, Default)]
pub(crate) struct Side {
    times: Vec<Duration>,
    bytes: f64,
}

impl Side {
    pub(crate) fn add(&mut self, answer: &Value) -> anyhow::Result<()> {
        self.times.extend(crate::pytorch::seconds(answer, "seconds")?);
        self.bytes = self.bytes.max(answer["bytes"].as_f64().unwrap_or_default());
        Ok(())
    }

    pub(crate) fn median(&self) -> Duration {
        Times::new(self.times.clone()).median()
    }

    /// The most memory that was held.
    pub(crate) fn memory(&self) -> String {
        format!("{:.0} MiB", self.bytes / f64::from(1 << 20))
    }
}

/// What both sides compute on, how it is called, and with how many threads.
pub(crate) fn place() -> (&'static str, String, u32) {
    let threads = torch::default_threads();
    match torch::device().is_cuda() {
        true => ("cuda", "GPU".into(), threads),
        false => ("cpu", format!("{threads} threads"), threads),
    }
}

/// What is said of how our steps are taken.
pub(crate) fn how(recorded: bool) -> &'static str {
    if recorded { ", as a CUDA graph" } else { "" }
}
