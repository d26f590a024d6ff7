//! One attempt: what is left to do where memory runs out beside a step.

use contract::events::RunResult;
use worker::{Control, RunError};

use crate::ladder::Ladder;

/// Trains by `train`. A step or a validation that runs out of memory is done again in more parts; where memory runs out
/// elsewhere, all goes on from the checkpoint that the attempt began with.
///
/// # Errors
/// As the trainer's contract says.
pub fn attempt(
    ladder: &Ladder<'_>,
    control: &mut dyn Control,
    mut train: impl FnMut(&mut dyn Control) -> Result<RunResult, RunError>,
) -> Result<RunResult, RunError> {
    ladder.memory.reset_peak();
    loop {
        // Nothing that the loop leaves half done is looked at afterwards: it starts from the checkpoint again.
        match ladder.within(|| train(control)) {
            Ok(outcome) => return outcome,
            Err(out) => ladder.descend(&out, "the attempt begins again", control)?,
        }
    }
}
