//! What trainers share of libtorch and of images: building blocks, not a framework. Knows nothing of messages.

mod ada_norm;
mod adamw;
mod attention;
mod device_memory;
mod ema;
mod gelu;
mod gradients;
pub mod images;
mod kept;
mod layers;
mod linear;
mod memory;
mod native;
mod processor;
pub mod random;
mod recording;
mod roots;
mod runtime;
mod schedule;
mod tensor_file;

pub use ada_norm::{ada_norm, add_and_ada_norm};
pub use adamw::{AdamW, AdamWOptions};
pub use attention::self_attention;
pub use device_memory::{GpuMemoryShareError, drop_cache, limit_gpu_memory, peak_mib, reset_peak};
pub use ema::Ema;
pub use gelu::gelu;
pub use gradients::{accumulate, clip_divisor, gradient_norm, gradients};
pub use kept::{Kept, cpu_copy};
pub use layers::{BatchNorm2d, Conv2d, Mode, Precision, channels_last};
pub use linear::{Linear, Product};
pub use memory::cache_budget;
pub use recording::Recording;
pub use roots::{RootError, find_below};
pub use runtime::{beside, default_threads, device, is_faster_in_bf16, set_up, use_threads};
pub use schedule::WarmupCosine;
pub use tensor_file::{TensorFile, TensorFileError, read_tensors, write_tensors};
