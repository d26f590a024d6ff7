//! What was measured on: figures without their machine say nothing.

use std::{fs, process::Command};

/// The machine in a line.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu_info = read("/proc/cpuinfo");
    let model = field(&cpu_info, "model name").unwrap_or("an unknown processor");
    // Names such as "AMD EPYC" hide generations.
    let generation = match (field(&cpu_info, "cpu family"), field(&cpu_info, "model\t")) {
        (Some(family), Some(number)) => format!(" (family {family}, model {number})"),
        _ => String::new(),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let memory_info = read("/proc/meminfo");
    let kib: u64 = field(&memory_info, "MemTotal")
        .and_then(|memory| memory.trim_end_matches(" kB").parse().ok())
        .unwrap_or_default();
    let gpu = gpu().map(|gpu| format!("{gpu}; ")).unwrap_or_default();
    let bf16 = if precisions().contains(&"bf16") { "" } else { ", without instructions for bf16" };
    format!("{gpu}{model}{generation}, {threads} threads, {} GiB{bf16}", kib.div_ceil(1024 * 1024))
}

/// The precisions that training is measured in: those that the device has instructions for. Without them, PyTorch takes
/// many times as long.
pub(crate) fn precisions() -> &'static [&'static str] {
    if torch::device().is_cuda() || is_x86_feature_detected!("avx512bf16") {
        &["fp32", "bf16"]
    } else {
        &["fp32"]
    }
}

/// The one that a user in a hurry trains in.
pub(crate) fn fastest_precision() -> &'static str {
    if torch::is_faster_in_bf16(torch::device()) { "bf16" } else { "fp32" }
}

/// What the driver calls the first GPU, where there is one.
fn gpu() -> Option<String> {
    let arguments = ["--query-gpu=name,memory.total", "--format=csv,noheader"];
    let output = Command::new("nvidia-smi").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().filter(|_| output.status.success()).map(|line| line.trim().to_owned())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}
