//! Tables, and their places in `docs/benchmarks.md`.

use std::{fmt, fs};

use anyhow::Context;

use crate::machine;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks.md");

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

/// Puts a table into its place on the page.
///
/// # Errors
/// When the page has no such place.
pub(crate) fn write(section: &str, table: &Table) -> anyhow::Result<()> {
    let page = fs::read_to_string(PAGE).with_context(|| format!("cannot read {PAGE}"))?;
    let (begin, end) = (format!("<!-- bench: {section} -->\n"), "<!-- end -->\n");
    let (before, rest) =
        page.split_once(&begin).with_context(|| format!("{PAGE} has no place for {section}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("{section} has no end in {PAGE}"))?;
    let measured_on = machine::describe();
    let page = format!("{before}{begin}\nMeasured on: {measured_on}.\n\n{table}\n{end}{after}");
    fs::write(PAGE, page).with_context(|| format!("cannot write {PAGE}"))
}
