//! The trainer as a worker sees it: a run goes in; steps, checkpoints, notes and a result come out.

mod bad_input;
mod images;
mod learning;
mod memory;
mod recorder;
mod resume;
