//! Tables, and their places in `docs/benchmarks.md`.

use std::{fmt, fs, path::Path};

use anyhow::{Context, ensure};

use crate::machine;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A table: what was measured, both sides, and how they compare.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: &[&dyn fmt::Display]) {
        assert_eq!(cells.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(cells.iter().map(ToString::to_string).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        writeln!(f, "|{}", " --- |".repeat(self.columns.len()))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// Puts a table into its place on `page`, below the checkout, or on the one that `REKINDLE_BENCH_PAGE` names.
///
/// # Errors
/// When nothing was measured, or the page has no such place.
pub(crate) fn write(page: &str, section: &str, table: &Table) -> anyhow::Result<()> {
    ensure!(!table.rows.is_empty(), "nothing of {section} could be measured here, so its figures stay");
    let name = std::env::var("REKINDLE_BENCH_PAGE").unwrap_or_else(|_| page.into());
    let path = Path::new(ROOT).join(&name);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
    let (begin, end) = (format!("<!-- bench: {section} -->\n"), "<!-- end -->\n");
    let (before, rest) =
        page.split_once(&begin).with_context(|| format!("{name} has no place for {section}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("{section} has no end in {name}"))?;
    let measured_on = machine::describe();
    let page = format!("{before}{begin}\nMeasured on: {measured_on}.\n\n{table}\n{end}{after}");
    fs::write(&path, page).with_context(|| format!("cannot write {name}"))
}
