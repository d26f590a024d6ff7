//! Columns of text without lines between them.

use comfy_table::{Table, presets::NOTHING};

/// A table with a header; columns are as wide as they need to be.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.to_vec()).add_rows(rows);
    trimmed(&mut table)
}

/// Names and their values, one pair a line.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_rows(pairs.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]));
    trimmed(&mut table)
}

fn trimmed(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}
