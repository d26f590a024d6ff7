//! What a run does when memory does not suffice: it drops what is cached, computes a batch in twice as many parts, and
//! does the same work again.
//!
//! Gradients are accumulated over the parts, so that the effective batch, the learning rate and the data stay what they
//! were. Batch normalisation alone sees a difference: it takes its statistics from a part, not from the batch. The ladder
//! ends with the smallest part that the network can learn from.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use contract::{Failure, FailureClass};
use worker::{Control, is_out_of_memory};

use crate::memory::{Demand, Memory, Work};

/// The longest part of libtorch's own words that is passed on.
const MOST_WORDS: usize = 300;

/// Where a run stands on the ladder.
#[derive(Debug)]
pub struct Ladder<'a> {
    /// What runs out.
    pub memory: &'a dyn Memory,
    least: LeastPart,
    batch_size: Cell<u64>,
    asked: u32,
    parts: Cell<u32>,
}

/// The smallest part of a batch that a network can learn from.
#[derive(Debug, Clone, Copy)]
pub struct LeastPart {
    /// Images.
    pub images: u64,
    /// Why not fewer, after `out of memory with 2 images at a time`.
    pub reason: &'static str,
}

/// Memory did not suffice, in libtorch's words.
#[derive(Debug)]
pub struct OutOfMemory(String);

impl<'a> Ladder<'a> {
    /// The top of the ladder: a batch in as many parts as were asked for.
    pub fn new(memory: &'a dyn Memory, batch_size: u32, accumulation: u32, least: LeastPart) -> Self {
        let (batch_size, parts) = (Cell::new(batch_size.into()), Cell::new(accumulation));
        Self { memory, least, batch_size, asked: accumulation, parts }
    }

    /// Takes note that a batch has this many images, fewer perhaps than the parameters say.
    pub fn set_batch_size(&self, batch_size: u64) {
        self.batch_size.set(batch_size);
    }

    /// Parts that a batch is computed in.
    pub fn parts(&self) -> u32 {
        self.parts.get()
    }

    /// Parts that a batch is computed in, where those are more than the parameters say.
    pub fn parts_needed(&self) -> Option<u32> {
        Some(self.parts()).filter(|parts| self.asked < *parts)
    }

    /// How many images the largest part of a batch has.
    pub fn images_of_part(&self) -> u64 {
        self.batch_size.get().div_ceil(self.parts().into())
    }

    /// Goes down to as many parts as an earlier attempt needed, or as many as there can be.
    pub fn at_least(&self, parts: u32) {
        self.parts.set(self.parts().max(parts.min(self.most_parts())));
    }

    /// The most parts that leave each enough images.
    fn most_parts(&self) -> u32 {
        u32::try_from(self.batch_size.get() / self.least.images).unwrap_or(u32::MAX)
    }

    /// Twice as many parts, or as many as leave each enough images; `None` when it has no more than that already.
    fn more_parts(&self) -> Option<u32> {
        Some(self.parts().saturating_mul(2).min(self.most_parts())).filter(|more| self.parts() < *more)
    }

    /// Says what memory is taken for next.
    pub fn about_to(&self, step: u64, work: Work, images: i64) {
        self.memory.about_to(Demand { step, work, images });
    }

    /// Does `work`, which must leave nothing behind that matters when it runs out of memory.
    ///
    /// # Errors
    /// When it does. Every other panic goes on.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
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
    pub fn descend(&self, out: &OutOfMemory, then: &str, control: &mut dyn Control) -> Result<(), Failure> {
        let images = self.images_of_part();
        let Some(more) = self.more_parts() else {
            return Err(self.exhausted(images, out));
        };
        self.memory.drop_cache();
        self.parts.set(more);
        let fewer = self.images_of_part();
        control.note(format!("out of memory with {images} images at a time; {then} with {fewer} at a time"));
        Ok(())
    }

    fn exhausted(&self, images: u64, OutOfMemory(words): &OutOfMemory) -> Failure {
        let peak = self.memory.peak_mib().map(|mib| format!("; the peak was {mib} MiB")).unwrap_or_default();
        let words = &words[..words.floor_char_boundary(MOST_WORDS)];
        let images = if images == 1 { "one image".to_owned() } else { format!("{images} images") };
        let LeastPart { reason, .. } = self.least;
        let message = format!("out of memory with {images} at a time, {reason}{peak}: {words}");
        Failure::new(FailureClass::Oom, message)
    }
}

/// The words of a panic, which is how libtorch reports.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory that nobody asks.
    #[derive(Debug)]
    struct Ample;

    impl Memory for Ample {
        fn drop_cache(&self) {}

        fn reset_peak(&self) {}

        fn peak_mib(&self) -> Option<u64> {
            None
        }
    }

    #[test]
    fn a_batch_is_halved_until_each_part_has_the_fewest_images() {
        let rungs = |batch_size, images| -> Vec<u32> {
            let ladder = Ladder::new(&Ample, batch_size, 1, LeastPart { images, reason: "" });
            let down = || ladder.more_parts().inspect(|more| ladder.parts.set(*more));
            [1].into_iter().chain(std::iter::from_fn(down)).collect()
        };
        let all: [Vec<u32>; 4] = [rungs(64, 2), rungs(7, 2), rungs(3, 2), rungs(2, 2)];
        assert_eq!(all, [vec![1, 2, 4, 8, 16, 32], vec![1, 2, 3], vec![1], vec![1]]);
        assert_eq!(rungs(7, 1), [1, 2, 4, 7]);
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
