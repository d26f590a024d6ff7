//! The memory that is computed in: what libtorch keeps of it, and how much it held at most.

use tch::Device;

use crate::native;

/// Gives back what is free and kept for later, so that what comes next finds it in one piece. libtorch does so itself
/// before it gives up, but then the tensors that were in the way still live.
pub fn drop_cache(device: Device) {
    match device {
        Device::Cuda(_) => native::drop_gpu_cache(),
        _ => native::trim_main_memory(),
    }
}

/// Counts the peak of a GPU's memory from now on. A process's peak of main memory is counted from its beginning.
pub fn reset_peak(device: Device) {
    if let Device::Cuda(index) = device {
        native::reset_gpu_peak(index as i8);
    }
}

/// The most MiB that this process has held: on a GPU what libtorch took of it since [`reset_peak`], else main memory.
/// `None` where nobody counts.
pub fn peak_mib(device: Device) -> Option<u64> {
    match device {
        Device::Cuda(index) => Some(native::gpu_peak(index as i8) >> 20).filter(|mib| 0 < *mib),
        _ => peak_of_process(&std::fs::read_to_string("/proc/self/status").ok()?),
    }
}

/// Reads `VmHWM:    123456 kB`.
fn peak_of_process(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    #[test]
    fn the_peak_of_main_memory_is_that_of_the_process() {
        assert_eq!(peak_of_process("Name:\tx\nVmPeak:\t9 kB\nVmHWM:\t  204800 kB\n"), Some(200));
        assert_eq!(peak_of_process("nothing"), None);

        let held = Tensor::ones([48 << 20], (Kind::Uint8, Device::Cpu));
        drop_cache(Device::Cpu);
        assert!(48 <= peak_mib(Device::Cpu).unwrap());
        assert_eq!(held.int64_value(&[0]), 1, "what is held stays");
    }

    #[test]
    fn a_gpu_counts_where_there_is_one_and_is_no_trouble_where_there_is_none() {
        crate::set_up();
        let device = Device::Cuda(0);
        if crate::device() == Device::Cpu {
            drop_cache(device);
            reset_peak(device);
            assert_eq!(peak_mib(device), None);
            return;
        }
        drop(Tensor::ones([300 << 20], (Kind::Uint8, device)));
        assert!(300 <= peak_mib(device).unwrap());
        drop_cache(device);
        reset_peak(device);
        assert!(peak_mib(device).is_none_or(|mib| mib < 300));
    }
}
