//! What one decision of the scheduler costs, and whether it costs more the more jobs there are.

use std::path::Path;

use scheduler::measure::Decider;

use crate::{figures::rate, report::Table};

/// How many jobs wait besides.
const KNOWN: [usize; 3] = [100, 10_000, 1_000_000];
/// Lives that are played before anything is measured, and those that are measured.
const WARM_UP: u64 = 1_000;
const LIVES: u64 = 20_000;

pub(crate) fn measure() -> anyhow::Result<Table> {
    let mut table = Table::new(&["jobs known", "decisions a second", "one decision", "beside 100 jobs"]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rekindle.toml");
    let settings = settings::load(&file, [])?;
    let mut few = None;
    for known in KNOWN {
        let mut decider = Decider::with(&settings, known);
        decider.lives(WARM_UP);
        let (decisions, took) = decider.lives(LIVES);
        let one = took.as_secs_f64() / decisions as f64;
        let few = *few.get_or_insert(one);
        table.row(&[
            &known,
            &format!("{:.0}/s", rate(decisions as usize, took)),
            &format!("{:.1} µs", one * 1e6),
            &format!("{:.2}×", one / few),
        ]);
    }
    Ok(table)
}
