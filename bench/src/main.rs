//! Measures Rekindle and what it stands on, and writes the tables of `docs/benchmarks.md`.
//!
//! `bench` measures everything; `bench throughput recovery` only these. Every table shows both sides and their ratio.

mod accuracy;
mod alone;
mod backoff;
mod bare;
mod checkpoint;
mod cold_start;
mod decisions;
mod dit_step;
mod dit_twin;
mod epoch;
mod figures;
mod limit;
mod machine;
mod pipeline;
mod pytorch;
mod recovery;
mod report;
mod step;
mod throughput;
mod time_to_accuracy;
mod up;
mod whole_run;

use anyhow::bail;

/// What can be measured, in the order of the page.
const SECTIONS: [&str; 15] = [
    "throughput",
    "decisions",
    "backoff",
    "recovery",
    "up",
    "checkpoint",
    "step",
    "dit-twin",
    "dit-step",
    "limit",
    "pipeline",
    "cold-start",
    EPOCH,
    TIME_TO_ACCURACY,
    ACCURACY,
];
/// Need images that are not in the repository, and take long: only where they are asked for.
const ON_DEMAND: [&str; 3] = [EPOCH, TIME_TO_ACCURACY, ACCURACY];
const EPOCH: &str = "epoch";
const TIME_TO_ACCURACY: &str = "time-to-accuracy";
/// This one is no timing.
const ACCURACY: &str = "accuracy";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if let [first, what @ ..] = chosen.as_slice()
        && first == alone::ALONE
    {
        return alone::measured(what);
    }
    if let Some(unknown) = chosen.iter().find(|name| !SECTIONS.contains(&name.as_str())) {
        bail!("{unknown:?} is not measured here; there are {}", SECTIONS.join(", "));
    }
    for section in SECTIONS {
        let is_due = if chosen.is_empty() {
            !ON_DEMAND.contains(&section)
        } else {
            chosen.iter().any(|name| name == section)
        };
        if is_due {
            eprintln!("measures {section}");
            let (page, keep): (_, fn(&str, &str, &report::Table) -> _) = if section == ACCURACY {
                ("docs/recipes.md", report::add)
            } else {
                ("docs/benchmarks.md", report::write)
            };
            let table = match section {
                "throughput" => throughput::measure().await?,
                "decisions" => decisions::measure()?,
                "backoff" => backoff::measure().await?,
                "recovery" => recovery::measure().await?,
                "up" => up::measure().await?,
                "checkpoint" => checkpoint::measure().await?,
                "step" => step::measure()?,
                "dit-twin" => dit_twin::measure()?,
                "dit-step" => dit_step::measure()?,
                "limit" => limit::measure()?,
                "pipeline" => pipeline::measure()?,
                "cold-start" => cold_start::measure()?,
                EPOCH => epoch::measure()?,
                TIME_TO_ACCURACY => time_to_accuracy::measure()?,
                ACCURACY => accuracy::measure(|so_far| keep(page, section, so_far))?,
                _ => unreachable!("sections are matched by name above"),
            };
            println!("{table}");
            keep(page, section, &table)?;
        }
    }
    Ok(())
}
