//! The memory that is computed in: how much libtorch may take, what it keeps, and how much it held at most.

use tch::{Cuda, Device};

use crate::native;

/// A limit on the GPU's memory cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum GpuMemoryShareError {
    /// No share of anything.
    #[error("a process takes more than nothing and at most all of a GPU's memory, not {0} of it")]
    Share(f64),
    /// Libtorch does not take it, in its own words.
    #[error("libtorch does not limit itself to {share} of the GPU's memory: {why}")]
    Refused {
        /// What was asked for.
        share: f64,
        /// Its words.
        why: String,
    },
}

/// Has libtorch take at most this share of each GPU's memory, more than 0 and at most 1, throughout this process. To be
/// called after [`crate::set_up`] and before a GPU is first used. What would take more fails as it does where there is no
/// more. Does nothing on a machine without a GPU.
///
/// # Errors
/// When it is no share, or when it comes too late.
pub fn limit_gpu_memory(share: f64) -> Result<(), GpuMemoryShareError> {
    if !(0.0 < share && share <= 1.0) {
        return Err(GpuMemoryShareError::Share(share));
    }
    let refused = |why| GpuMemoryShareError::Refused { share, why };
    let is_heard =
        native::set_gpu_allocator(&format!("per_process_memory_fraction:{share}")).map_err(refused)?;
    if !is_heard && Cuda::is_available() {
        return Err(refused("its allocator hears of no settings".into()));
    }
    Ok(())
}

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
    fn what_is_no_share_of_memory_is_refused() {
        for share in [0.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            let refused = limit_gpu_memory(share).unwrap_err().to_string();
            assert!(refused.ends_with(&format!("not {share} of it")), "{refused}");
        }
    }

    #[test]
    fn the_gpu_half_of_libtorch_hears_of_its_settings() {
        crate::set_up();
        if crate::device().is_cuda() {
            println!("skipped: whether a share holds on a GPU is tested in a process of its own");
            return;
        }
        match native::set_gpu_allocator("per_process_memory_fraction:2") {
            Ok(is_heard) => {
                assert!(!is_heard, "twice the memory was taken for a share");
                println!("skipped: libtorch's GPU half is not here");
            }
            Err(why) => assert!(why.contains("per_process_memory_fraction is invalid"), "{why}"),
        }
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
