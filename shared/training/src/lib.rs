//! What trainers of images do alike around their own loops: opening the images, going down the ladder when memory runs
//! out, steps from a recording, checkpoints of a run, and pictures for people. Pieces to call, not a framework: each
//! trainer's loop is its own.

mod attempt;
mod checkpoint;
mod data;
mod failure;
mod ladder;
mod memory;
mod pace;
pub mod pictures;
mod recorded;

pub use attempt::attempt;
pub use checkpoint::{Found, Identity, Point, Saved};
pub use data::{Images, Source};
pub use failure::{diverged, of_tensor_file, transient};
pub use ladder::{Ladder, LeastPart, OutOfMemory};
pub use memory::{Demand, DeviceMemory, Memory, Work};
pub use pace::Pace;
pub use recorded::RecordedSteps;

/// What a run is told that asks for arithmetic which its device is not faster in.
pub fn slow_precision(param: contract::params::Precision, device: tch::Device) -> Option<&'static str> {
    (param == contract::params::Precision::Bf16 && !torch::is_faster_in_bf16(device)).then_some(
        "this processor is no faster in bf16; with precision = \"fp32\" the run takes no longer and is more exact",
    )
}

/// The contract's word for the arithmetic, as libtorch's code knows it.
pub fn precision(param: contract::params::Precision) -> torch::Precision {
    match param {
        contract::params::Precision::Fp32 => torch::Precision::Fp32,
        contract::params::Precision::Bf16 => torch::Precision::Bf16,
    }
}
