//! One attempt: the loop, and what happens when memory does not suffice for it.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use contract::{Failure, classifier::ClassifierParams, events::RunResult};
use worker::{Control, Run, RunError, is_out_of_memory};

use crate::train::{Means, train};

/// Trains as the job's parameters say. When the device runs out of memory, the batch is computed in twice as many
/// parts, from the checkpoint that the attempt began with: the effective batch stays. libtorch has dropped its cache
/// by then; it does so before it gives up.
///
/// # Errors
/// As the trainer's contract says.
pub(crate) fn run(run: &Run, threads: u32, control: &mut dyn Control) -> Result<RunResult, RunError> {
    let params =
        ClassifierParams::parse(&run.grant.params).map_err(|error| Failure::permanent(error.to_string()))?;
    let mut accumulation = params.accumulation;
    loop {
        // Nothing that the loop leaves half done is looked at afterwards: it starts from the checkpoint again.
        let trained =
            catch_unwind(AssertUnwindSafe(|| train(run, &params, Means { threads, accumulation }, control)));
        let panic = match trained {
            Ok(outcome) => return outcome,
            Err(panic) => panic,
        };
        let is_out_of_memory = is_out_of_memory(words(&*panic));
        let Some(more) = more_parts(params.batch_size, accumulation).filter(|_| is_out_of_memory) else {
            resume_unwind(panic);
        };
        control.note(format!(
            "out of memory with {} images at a time; going on with {}",
            params.batch_size / accumulation,
            params.batch_size / more
        ));
        accumulation = more;
    }
}

/// Twice as many parts, unless they would be too small for a norm to see more than one image.
fn more_parts(batch_size: u32, parts: u32) -> Option<u32> {
    let more = parts.checked_mul(2)?;
    (2 <= batch_size / more).then_some(more)
}

/// The words of a panic, which is how libtorch reports.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_halved_until_two_images_are_left() {
        let parts: Vec<u32> = std::iter::successors(Some(1), |parts| more_parts(64, *parts)).collect();
        assert_eq!(parts, [1, 2, 4, 8, 16, 32]);
        assert_eq!(more_parts(3, 1), None);
    }

    #[test]
    fn only_want_of_memory_counts_as_such() {
        let is_out_of_memory = |text: &str| -> bool {
            let panic: Box<dyn Any + Send> = Box::new(text.to_owned());
            is_out_of_memory(words(&*panic))
        };
        assert!(is_out_of_memory("Torch(\"CUDA out of memory. Tried to allocate 2.00 GiB\")"));
        assert!(is_out_of_memory("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"));
        assert!(is_out_of_memory(
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
        ));
        assert!(!is_out_of_memory("CUDA error: an illegal memory access was encountered"));
    }
}
