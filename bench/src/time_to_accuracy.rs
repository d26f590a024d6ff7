//! How long it takes from scratch, from the start of a process, until a classifier is as good as it has to be, beside a
//! PyTorch script of the same recipe. The images are not in this repository.

use crate::{
    accuracy, alone,
    figures::Times,
    machine,
    report::Table,
    whole_run::{Came, WholeRun},
};

/// A folder of images, how much of what is held out has to be told rightly, in how many epochs at most.
struct Case {
    folder: &'static str,
    target: f64,
    epochs: u32,
    side: u32,
    stem: &'static str,
    augment: &'static str,
    batch: u32,
    /// Takes hours on a CPU.
    needs_gpu: bool,
}

const CASES: [Case; 2] = [
    Case {
        folder: "mnist-png",
        target: 0.985,
        epochs: 2,
        side: 32,
        stem: "imagenet",
        augment: "light",
        batch: 64,
        needs_gpu: false,
    },
    Case {
        folder: "cifar10",
        target: 0.93,
        epochs: 30,
        side: 32,
        stem: "small",
        augment: "medium",
        batch: 128,
        needs_gpu: true,
    },
];

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let folders = accuracy::folders()?;
    let (device, place, _) = alone::place();
    let is_gpu = device == "cuda";
    // An epoch takes minutes on a CPU.
    let rounds = if is_gpu { 3 } else { 1 };
    let columns = ["ResNet-18 from scratch", "Rekindle", "PyTorch, DataLoader", "ratio"];
    let mut table = Table::new(&columns);
    let precision = machine::fastest_precision();
    for case in CASES.iter().filter(|case| is_gpu || !case.needs_gpu) {
        let folder = folders.join(case.folder);
        if !folder.is_dir() {
            eprintln!("{} is not here; left out", folder.display());
            continue;
        }
        let run = WholeRun {
            folder: &folder,
            precision,
            stem: case.stem,
            augment: case.augment,
            batch: case.batch,
            side: case.side,
            epochs: case.epochs,
            target: case.target,
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(run.ours()?);
            theirs.push(run.theirs()?);
        }
        let ratio = match (seconds(&ours, case.target), seconds(&theirs, case.target)) {
            (Some(ours), Some(theirs)) => format!("{:.2}×", theirs / ours),
            _ => "none".into(),
        };
        let (name, target) = (case.folder, case.target * 100.0);
        table.row(&[
            &format!("{name} to {target:.1} % of what is held out; {precision}, {place}"),
            &told(&ours, case.target),
            &told(&theirs, case.target),
            &ratio,
        ]);
    }
    Ok(table)
}

/// The median of a side's runs, unless one did not get there.
fn seconds(runs: &[Came], target: f64) -> Option<f64> {
    let got_there = runs.iter().all(|run| target <= last(run));
    got_there.then(|| Times::new(runs.iter().map(|run| run.took).collect()).median().as_secs_f64())
}

fn told(runs: &[Came], target: f64) -> String {
    let ends: Vec<String> = runs
        .iter()
        .map(|run| format!("{:.1} % after epoch {}", last(run) * 100.0, run.accuracies.len()))
        .collect();
    let ends = ends.join(", ");
    match seconds(runs, target) {
        Some(seconds) => format!("{seconds:.1} s ({ends})"),
        None => format!("not reached ({ends})"),
    }
}

/// The accuracy a run ended with.
fn last(run: &Came) -> f64 {
    run.accuracies.last().copied().unwrap_or_default()
}
