//! What a run does when memory does not suffice: it drops what is cached, computes a batch in twice as many parts, and
//! does the same work again.
//!
//! Gradients are accumulated over the parts, so that the effective batch, the learning rate and the data stay what they
//! were. Batch normalisation alone sees a difference: it takes its statistics from a part, not from the batch. That is
//! also where the ladder ends, because it takes no fewer than two images at a time.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use contract::{Failure, FailureClass, classifier::ClassifierParams};
use worker::{Control, is_out_of_memory};

use crate::{
    memory::{Demand, Memory, Work},
    plan::{FEWEST_IMAGES, images_of_part},
};

/// The longest part of libtorch's own words that is passed on.
const MOST_WORDS: usize = 300;

/// Where a run stands on the ladder.
#[derive(Debug)]
pub(crate) struct Ladder<'a> {
    pub(crate) memory: &'a dyn Memory,
    batch_size: Cell<u64>,
    asked: u32,
    parts: Cell<u32>,
}

/// Memory did not suffice, in libtorch's words.
#[derive(Debug)]
pub(crate) struct OutOfMemory(String);

impl<'a> Ladder<'a> {
    /// The top of the ladder: a batch in as many parts as the parameters say.
    pub(crate) fn new(memory: &'a dyn Memory, params: &ClassifierParams) -> Self {
        let (batch_size, asked) = (Cell::new(params.batch_size.into()), params.accumulation);
        Self { memory, batch_size, asked, parts: Cell::new(asked) }
    }

    /// Takes note that a batch has this many images, fewer perhaps than the parameters say.
    pub(crate) fn set_batch_size(&self, batch_size: u64) {
        self.batch_size.set(batch_size);
    }

    /// Parts that a batch is computed in.
    pub(crate) fn parts(&self) -> u32 {
        self.parts.get()
    }

    /// Parts that a batch is computed in, where those are more than the parameters say.
    pub(crate) fn parts_needed(&self) -> Option<u32> {
        Some(self.parts()).filter(|parts| self.asked < *parts)
    }

    /// Goes down to as many parts as an earlier attempt needed, or as many as there can be.
    pub(crate) fn at_least(&self, parts: u32) {
        self.parts.set(self.parts().max(parts.min(most_parts(self.batch_size.get()))));
    }

    /// Says what memory is taken for next.
    pub(crate) fn about_to(&self, step: u64, work: Work, images: i64) {
        self.memory.about_to(Demand { step, work, images });
    }

    /// Does `work`, which must leave nothing behind that matters when it runs out of memory.
    ///
    /// # Errors
    /// When it does. Every other panic goes on.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| match words(&*panic) {
            text if is_out_of_memory(text) => OutOfMemory(text.to_owned()),
            _ => resume_unwind(panic),
        })
    }

    /// Goes one rung down, to twice as many parts, after everything that ran out has been dropped. `then` says what
    /// follows.
    ///
    /// # Errors
    /// Out of memory, with the peak, at the end of the ladder.
    pub(crate) fn descend(
        &self,
        out: &OutOfMemory,
        then: &str,
        control: &mut dyn Control,
    ) -> Result<(), Failure> {
        let images = images_of_part(self.batch_size.get(), self.parts());
        let Some(more) = more_parts(self.batch_size.get(), self.parts()) else {
            return Err(self.exhausted(images, out));
        };
        self.memory.drop_cache();
        self.parts.set(more);
        let fewer = images_of_part(self.batch_size.get(), more);
        control.note(format!("out of memory with {images} images at a time; {then} with {fewer} at a time"));
        Ok(())
    }

    fn exhausted(&self, images: u64, OutOfMemory(words): &OutOfMemory) -> Failure {
        let peak = self.memory.peak_mib().map(|mib| format!("; the peak was {mib} MiB")).unwrap_or_default();
        let words = &words[..words.floor_char_boundary(MOST_WORDS)];
        Failure::new(
            FailureClass::Oom,
            format!(
                "out of memory with {images} images at a time, and batch normalisation needs {FEWEST_IMAGES}{peak}: \
                 {words}"
            ),
        )
    }
}

/// Twice as many parts, or as many as leave each enough images; `None` when it has no more than that already.
fn more_parts(batch_size: u64, parts: u32) -> Option<u32> {
    Some(parts.saturating_mul(2).min(most_parts(batch_size))).filter(|more| parts < *more)
}

/// The most parts that leave each enough images.
fn most_parts(batch_size: u64) -> u32 {
    u32::try_from(batch_size / FEWEST_IMAGES).unwrap_or(u32::MAX)
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
    fn a_batch_is_halved_until_each_part_has_two_images() {
        let rungs = |batch_size| {
            std::iter::successors(Some(1), move |parts| more_parts(batch_size, *parts)).collect()
        };
        let all: [Vec<u32>; 4] = [rungs(64), rungs(7), rungs(3), rungs(2)];
        assert_eq!(all, [vec![1, 2, 4, 8, 16, 32], vec![1, 2, 3], vec![1], vec![1]]);
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
