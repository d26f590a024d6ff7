//! The GPUs of this machine.

use tokio::process::Command;

/// One GPU, as the driver lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// Such as `NVIDIA L4`.
    pub(crate) name: String,
    /// Names it to CUDA, whatever else is visible.
    pub(crate) uuid: String,
}

/// All GPUs; none where there is no driver.
pub(crate) async fn find() -> Vec<Gpu> {
    // Without the driver's own tool there is no driver.
    let listed = Command::new("nvidia-smi").arg("-L").output().await;
    listed.map_or_else(|_| Vec::new(), |output| parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads lines such as `GPU 0: NVIDIA L4 (UUID: GPU-5a3f…)`; parts of a shared GPU are indented and not ours to use.
fn parse(list: &str) -> Vec<Gpu> {
    let gpu = |line: &str| {
        let (_, rest) = line.strip_prefix("GPU ")?.split_once(": ")?;
        let (name, uuid) = rest.rsplit_once(" (UUID: ")?;
        Some(Gpu { name: name.into(), uuid: uuid.strip_suffix(')')?.into() })
    };
    list.lines().filter_map(gpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_list_is_read() {
        let list = "GPU 0: NVIDIA L4 (UUID: GPU-5a3f)\n  MIG 1g.5gb Device 0: (UUID: MIG-1)\nGPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-77)\n";
        let gpu = |name: &str, uuid: &str| Gpu { name: name.into(), uuid: uuid.into() };
        assert_eq!(parse(list), [gpu("NVIDIA L4", "GPU-5a3f"), gpu("NVIDIA H100 80GB HBM3", "GPU-77")]);
        assert_eq!(parse("NVIDIA-SMI has failed because it couldn't communicate with the driver.\n"), []);
    }
}
