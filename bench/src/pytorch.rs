//! The other side: PyTorch, from the same libtorch, in a Python of its own.

use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Runs one of the scripts beside this crate and reads the JSON that it prints.
///
/// # Errors
/// When PyTorch cannot be imported, or the script fails.
pub(crate) fn run(script: &str, arguments: &[String]) -> anyhow::Result<Value> {
    let deps = format!("{HERE}/../.deps");
    let output = Command::new("python3")
        .arg(format!("{HERE}/python/{script}"))
        .args(arguments)
        .env("PYTHONPATH", format!("{deps}/libtorch:{deps}/pytorch"))
        .output()
        .context("python3 does not start")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or("it says nothing");
        bail!("{script} failed: {last}; `make setup PYTORCH=1` brings what PyTorch needs");
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{script} printed something else than JSON"))
}

/// The times that a script measured.
pub(crate) fn seconds(answer: &Value, name: &str) -> anyhow::Result<Vec<std::time::Duration>> {
    let times = answer[name].as_array().with_context(|| format!("a script told no {name}"))?;
    Ok(times.iter().filter_map(Value::as_f64).map(std::time::Duration::from_secs_f64).collect())
}
