//! The settings file of one system under test.

use std::path::Path;

use toml::{Table, Value};

const BASE: &str = include_str!("rekindle.toml");

/// Writes the settings to `file`, with `changes` such as `("scheduler.lease", "2s")` to what is usual here.
///
/// # Panics
/// When a change names a section that is none.
pub(crate) fn write(file: &Path, changes: &[(&str, &str)]) {
    let mut settings: Table = BASE.parse().expect("the usual settings are TOML");
    for (path, value) in changes {
        set(&mut settings, path, value);
    }
    std::fs::write(file, settings.to_string()).expect("the settings can be written");
}

fn set(settings: &mut Table, path: &str, value: &str) {
    let (sections, key) = path.rsplit_once('.').expect("a change names a section and a key");
    let mut table = settings;
    for section in sections.split('.') {
        let inner = table.entry(section).or_insert_with(|| Table::new().into());
        table = inner.as_table_mut().unwrap_or_else(|| panic!("{section:?} in {path:?} is no section"));
    }
    let whole = value.parse::<i64>().ok().map(Value::from);
    let number = || value.parse::<f64>().ok().map(Value::from);
    table.insert(key.into(), whole.or_else(number).unwrap_or_else(|| value.into()));
}
