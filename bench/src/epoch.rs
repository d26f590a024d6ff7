//! Epochs of real training on real photos, reading, validation and checkpoint included, beside a PyTorch script with its
//! `DataLoader`. The photos are not in this repository.

use std::time::Duration;

use crate::{
    accuracy,
    figures::{Times, milliseconds},
    machine,
    report::Table,
    whole_run::WholeRun,
};

/// What both sides learn from.
const FOLDER: &str = "catdog-100px";
/// Epochs of the longer run, from which those after the first are told.
const EPOCHS: u32 = 3;
/// Rounds in turn, so that a noisy moment of the machine meets both sides.
const ROUNDS: usize = 3;
/// No accuracy ends these runs.
const NEVER: f64 = f64::INFINITY;

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
        let run = |epochs| WholeRun {
            folder: &folder,
            precision,
            stem: "imagenet",
            augment: "medium",
            batch: 64,
            side: 64,
            epochs,
            target: NEVER,
        };
        let (one, more) = (run(1), run(EPOCHS));
        let (mut ours, mut theirs) = (Taken::default(), Taken::default());
        for _ in 0..ROUNDS {
            let first = one.ours()?.took;
            ours.further.push(more.ours()?.took.saturating_sub(first) / (EPOCHS - 1));
            ours.first.push(first);
            theirs.first.push(one.theirs()?.took);
            theirs.further.extend(more.theirs()?.epochs.into_iter().skip(1));
        }
        let side = one.side;
        for (what, ours, theirs) in [
            ("one epoch, from the process's start to its end", ours.first, theirs.first),
            ("each further epoch", ours.further, theirs.further),
        ] {
            let (ours, theirs) = (Times::new(ours).median(), Times::new(theirs).median());
            table.row(&[
                &format!("{what}; {precision}, {side}×{side}, {cores} cores"),
                &milliseconds(ours),
                &milliseconds(theirs),
                &format!("{:.2}×", theirs.as_secs_f64() / ours.as_secs_f64()),
            ]);
        }
    }
    Ok(table)
}
