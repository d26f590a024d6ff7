//! Sweeps: which trials there are, which of them go on, and when dying is no accident any more.

mod halving;
mod likeness;
mod space;

pub use halving::{Race, is_better, race, rungs_reached};
pub use likeness::likeness;
pub use space::{InvalidSearch, count, trial_params};
