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

/// Puts a table into its place on `page`, below the checkout, or on the one that `REKINDLE_BENCH_PAGE` names. What was measured
/// on other machines stays beside it.
///
/// # Errors
/// When nothing was measured, or the page has no such place.
pub(crate) fn write(page: &str, section: &str, table: &Table) -> anyhow::Result<()> {
    place(page, section, |_| table.rows.clone(), table)
}

/// The same, where rows may be measured one by one, and are told by their first cells: the others stay too.
///
/// # Errors
/// Likewise.
pub(crate) fn add(page: &str, section: &str, table: &Table) -> anyhow::Result<()> {
    let merge = |standing: Vec<Vec<String>>| {
        let (mut rows, mut new) = (standing, table.rows.clone());
        for row in &mut rows {
            if let Some(place) = new.iter().position(|new| new[0] == row[0]) {
                *row = new.remove(place);
            }
        }
        rows.extend(new);
        rows
    };
    place(page, section, merge, table)
}

fn place(
    page: &str,
    section: &str,
    rows: impl FnOnce(Vec<Vec<String>>) -> Vec<Vec<String>>,
    table: &Table,
) -> anyhow::Result<()> {
    ensure!(!table.rows.is_empty(), "nothing of {section} could be measured here, so its figures stay");
    let name = std::env::var("REKINDLE_BENCH_PAGE").unwrap_or_else(|_| page.into());
    let path = Path::new(ROOT).join(&name);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
    let (begin, end) = (format!("<!-- bench: {section} -->\n"), "<!-- end -->\n");
    let (before, rest) =
        page.split_once(&begin).with_context(|| format!("{name} has no place for {section}"))?;
    let (standing, after) =
        rest.split_once(end).with_context(|| format!("{section} has no end in {name}"))?;
    let tables = with(standing, &machine::describe(), |standing| Table {
        columns: table.columns.clone(),
        rows: rows(standing),
    });
    fs::write(&path, format!("{before}{begin}\n{tables}{end}{after}"))
        .with_context(|| format!("cannot write {name}"))
}

/// What begins a table that was measured on some machine.
const MEASURED_ON: &str = "Measured on: ";

/// The tables of a section, each under its machine, where `table` takes the place of this machine's or comes last.
fn with(standing: &str, machine: &str, table: impl FnOnce(Vec<Vec<String>>) -> Table) -> String {
    let mut tables: Vec<(String, String)> = standing
        .split(MEASURED_ON)
        .skip(1)
        .filter_map(|text| text.split_once(".\n\n"))
        .map(|(machine, table)| (machine.to_owned(), table.trim_end().to_owned()))
        .collect();
    match tables.iter_mut().find(|(other, _)| other == machine) {
        Some((_, old)) => *old = table(standing_rows(old)).to_string(),
        None => tables.push((machine.to_owned(), table(Vec::new()).to_string())),
    }
    tables
        .into_iter()
        .map(|(machine, table)| format!("{MEASURED_ON}{machine}.\n\n{}\n\n", table.trim_end()))
        .collect()
}

/// The rows of a table as it stands on a page, below its head.
fn standing_rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.skip(1)
        .filter(|row| !row.starts_with("---"))
        .map(|row| row.split(" | ").map(str::to_owned).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_stand_on_a_page_are_those_that_were_written() {
        let mut table = Table::new(&["what", "figure"]);
        table.row(&[&"one", &1]);
        table.row(&[&"another", &"`{\"a\":2}`"]);
        assert_eq!(standing_rows(&format!("\nMeasured on: it.\n\n{table}\n")), table.rows);
        assert!(standing_rows("\nNot measured yet.\n\n").is_empty());
    }

    #[test]
    fn a_table_replaces_that_of_its_machine_and_no_other() {
        let table = |figure: u32| {
            let mut table = Table::new(&["figure"]);
            table.row(&[&figure]);
            table
        };
        let first = with("\nNot measured yet.\n\n", "one", |_| table(1));
        assert_eq!(first, "Measured on: one.\n\n| figure |\n| --- |\n| 1 |\n\n");
        let both = with(&first, "another, 2 threads", |standing| {
            assert!(standing.is_empty());
            table(2)
        });
        let newer = with(&both, "one", |standing| {
            assert_eq!(standing, [["1"]]);
            table(3)
        });
        assert_eq!(newer, both.replace("| 1 |", "| 3 |"));
        assert!(newer.ends_with("Measured on: another, 2 threads.\n\n| figure |\n| --- |\n| 2 |\n\n"));
    }
}
