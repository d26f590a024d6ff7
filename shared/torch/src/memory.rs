//! How much memory a cache may take.

const MIB: u64 = 1 << 20;

/// Half of the memory that is free now, at most 8 GiB, and at least 256 MiB. In a container, its limit counts.
pub fn cache_budget() -> u64 {
    let free = match (free_on_machine(), container_limit()) {
        (Some(free), Some(limit)) => free.min(limit),
        (Some(memory), None) | (None, Some(memory)) => memory,
        (None, None) => 0,
    };
    (free / 2).clamp(256 * MIB, 8192 * MIB)
}

fn free_on_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn container_limit() -> Option<u64> {
    let read =
        |name| std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse::<u64>().ok();
    Some(read("memory.max")?.saturating_sub(read("memory.current").unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_budget_keeps_its_bounds() {
        assert!((256 << 20..=8192 << 20).contains(&super::cache_budget()));
    }
}
