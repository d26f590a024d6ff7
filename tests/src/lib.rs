//! What the system tests share: a whole Rekindle for each test, the step workload whose weights remember every step,
//! and the means to disturb it all.

mod claims;
mod clean;
mod config;
mod duplicator;
mod events;
mod folder;
mod full_disk;
mod hold;
mod home;
mod images;
mod jobs;
mod memory_group;
mod process;
mod program;
pub mod step;
pub mod storm;
mod system;
mod wait;

pub use claims::Claims;
pub use clean::RefusedMessage;
pub use duplicator::Duplicator;
pub use full_disk::FullDisk;
pub use hold::Hold;
pub use images::draw_images;
pub use jobs::submission;
pub use memory_group::MemoryGroup;
pub use program::{Program, SCHEDULER, STORE};
pub use step::{How, StepParams};
pub use system::System;
pub use wait::wait_for;
