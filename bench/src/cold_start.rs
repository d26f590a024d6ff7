//! How long a process takes from its start to its first finished step, beside a PyTorch script that does the same.

use std::time::{Duration, Instant};

use crate::{
    alone::{self, Work},
    figures::{Times, milliseconds},
    pytorch,
    report::Table,
};

/// Starts of each side, in turn; those of the first round only bring the files into memory.
const ROUNDS: usize = 6;

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let (device, place, threads) = alone::place();
    let mut table = Table::new(&["until the first step is done", "Rekindle", "a PyTorch script", "ratio"]);
    for (name, what, script, style, side) in [
        ("ResNet-18", "resnet", "step.py", "channels-last", 64),
        ("TinyDiT", "dit", "dit_step.py", "best", 128),
    ] {
        let work = Work { precision: "fp32", device, batch: 8, side, threads, warm_up: 0, steps: 1 };
        let (mut ours, mut warm, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let mine = timed(|| alone::run(what, &work).map(drop))?;
            let its = timed(|| {
                pytorch::run(script, &[vec![style.to_owned()], work.arguments()].concat()).map(drop)
            })?;
            if 0 < round {
                ours.push(mine);
                let waited = alone::run(&format!("warm-{what}"), &work)?;
                warm.extend(pytorch::seconds(&waited, "seconds")?);
                theirs.push(its);
            }
        }
        let theirs = Times::new(theirs).median();
        for (from, ours) in [("the process's start", ours), ("a job's start, in a worker that waited", warm)]
        {
            let ours = Times::new(ours).median();
            table.row(&[
                &format!("{name}, 8 images of {side}×{side}, {place}; from {from}"),
                &milliseconds(ours),
                &milliseconds(theirs),
                &format!("{:.1}×", theirs.as_secs_f64() / ours.as_secs_f64()),
            ]);
        }
    }
    Ok(table)
}

fn timed(run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    run().map(|()| began.elapsed())
}
