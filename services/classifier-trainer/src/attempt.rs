//! One attempt: the loop, and what is left to do where memory runs out beside a step.

use contract::{Failure, classifier::ClassifierParams, events::RunResult};
use worker::{Control, Run, RunError};

use crate::{ladder::Ladder, memory::Memory, train::train};

/// Trains as the job's parameters say. A step or a validation that runs out of memory is done again in more parts; where
/// memory runs out elsewhere, all goes on from the checkpoint that the attempt began with.
///
/// # Errors
/// As the trainer's contract says.
pub(crate) fn run(
    run: &Run,
    threads: u32,
    memory: &dyn Memory,
    control: &mut dyn Control,
) -> Result<RunResult, RunError> {
    let params =
        ClassifierParams::parse(&run.grant.params).map_err(|error| Failure::permanent(error.to_string()))?;
    memory.reset_peak();
    let ladder = Ladder::new(memory, &params);
    loop {
        // Nothing that the loop leaves half done is looked at afterwards: it starts from the checkpoint again.
        match ladder.within(|| train(run, &params, threads, &ladder, control)) {
            Ok(outcome) => return outcome,
            Err(out) => ladder.descend(&out, "the attempt begins again", control)?,
        }
    }
}
