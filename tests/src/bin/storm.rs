//! `storm [--seed NUMBER] [--minutes NUMBER]`: lets everything go wrong at random and says which promises held.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use system_tests::storm::{Outcome, rage};

/// How long a storm lasts when nothing is said.
const MINUTES: f64 = 3.0;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let (mut seed, mut minutes) = (rand::random(), MINUTES);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} wants a number"))?;
        match name.as_str() {
            "--seed" => seed = value.parse().with_context(|| format!("{value:?} is not a seed"))?,
            "--minutes" => minutes = value.parse().with_context(|| format!("{value:?} is no time"))?,
            _ => bail!("{name:?} is not an option; there are --seed NUMBER and --minutes NUMBER"),
        }
    }
    let lasts = Duration::try_from_secs_f64(60.0 * minutes).context("--minutes wants a length of time")?;

    println!("storm of {minutes} minutes, SEED={seed}");
    let outcome = rage(seed, lasts).await;
    print(&outcome);
    if outcome.broken.is_empty() {
        println!("every promise held; SEED={seed}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} promises were broken; SEED={seed}", outcome.broken.len());
    Ok(ExitCode::FAILURE)
}

fn print(outcome: &Outcome) {
    println!("\nwhat went wrong");
    for (injury, times) in &outcome.injuries {
        println!("  {injury:<28}{times:>6}");
    }
    println!("\njobs");
    for ((kind, state), jobs) in &outcome.jobs {
        println!("  {kind:<28}{jobs:>6} {state}");
    }
    println!("\nattempts");
    for (what, count) in
        [("in all", outcome.attempts), ("lost", outcome.losses), ("preempted", outcome.preemptions)]
    {
        println!("  {what:<28}{count:>6}");
    }
    println!();
    for problem in &outcome.broken {
        println!("BROKEN  {problem}");
    }
}
