//! Libtorch as a process uses it: its GPU half, its threads, its determinism.

use tch::{Cuda, Device};

use crate::{native, processor};

/// Prepares libtorch. To be called first thing in `main`: whether there is a GPU is found out once, and for good.
///
/// The GPU half of libtorch is a library that no symbol refers to, so the linker leaves it out; it is loaded here
/// where it is installed. From here on, operations that can give the same bytes each time do, and memory that is freed
/// is kept for the next step.
pub fn set_up() {
    match native::load_library("libtorch_cuda.so") {
        Ok(()) => tracing::debug!("loaded libtorch's GPU half"),
        Err(error) => {
            tracing::debug!(error, "libtorch's GPU half is not here or not whole; training on the CPU")
        }
    }
    native::deterministic();
    native::keep_freed_memory();
}

/// The GPU where there is one, else the CPU.
pub fn device() -> Device {
    if Cuda::is_available() { Device::Cuda(0) } else { Device::Cpu }
}

/// Whether a device is faster in bf16 than in fp32. Where it is not, products and convolutions of bf16 are computed in fp32.
pub fn is_faster_in_bf16(device: Device) -> bool {
    device.is_cuda() || processor::is_faster_in_bf16()
}

/// How many threads to compute with: what `OMP_NUM_THREADS` says, as everywhere in libtorch; else one a core.
pub fn default_threads() -> u32 {
    let set = std::env::var("OMP_NUM_THREADS").ok().and_then(|text| text.trim().parse().ok());
    set.filter(|threads| 0 < *threads)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32))
}

/// Computes with exactly so many threads on this thread from now on. Sums are split over threads, and the order of
/// summing decides the last bits, so a run that shall end with the same bytes needs the same number.
pub fn use_threads(threads: u32) {
    tch::set_num_threads(threads.cast_signed());
}

/// Does `other` on the worker pool while `here` runs on this thread, and returns when both are done.
pub fn beside<A: Send, B>(other: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let mut result = None;
    let here = rayon::in_place_scope(|scope| {
        scope.spawn(|_| result = Some(other()));
        here()
    });
    (result.expect("the scope ends after what was spawned in it"), here)
}
