//! Memory that does not suffice: each rung of the ladder, with allocations that fail where a test wants it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use contract::{FailureClass, StopCause, checkpoints::CheckpointRole};
use local_worker::{Attempt, StopAt, images::shapes};
use serde_json::json;
use tch::{Device, Kind, TchError, Tensor};
use training::{Demand, Memory, Work};
use worker::RunError;

use crate::{Job, in_memory, job_of};

/// A device on which some demands fail.
pub(crate) struct Scarce<F> {
    fails: F,
    words: fn(),
    caches_dropped: AtomicU32,
    demands: Mutex<Vec<Demand>>,
}

impl<F> std::fmt::Debug for Scarce<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scarce")
    }
}

impl<F: Fn(Demand) -> bool + Send + Sync> Memory for Scarce<F> {
    fn about_to(&self, demand: Demand) {
        self.demands.lock().unwrap().push(demand);
        if (self.fails)(demand) {
            (self.words)();
        }
    }

    fn drop_cache(&self) {
        self.caches_dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn reset_peak(&self) {}

    fn peak_mib(&self) -> Option<u64> {
        Some(22_810)
    }
}

impl<F> Scarce<F> {
    /// Parts that went forward, as (step, images), in their order.
    pub(crate) fn parts(&self) -> Vec<(u64, i64)> {
        let demands = self.demands.lock().unwrap();
        demands.iter().filter(|demand| demand.work == Work::Forward).map(|d| (d.step, d.images)).collect()
    }
}

/// What tch says when CUDA's allocator gives up.
pub(crate) fn as_cuda_says() {
    let words = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 22.05 GiB of which \
                 1.11 GiB is free.";
    panic!("called `Result::unwrap()` on an `Err` value: {:?}", TchError::Torch(words.into()));
}

/// Asks libtorch for more than any machine has.
fn as_the_cpu_says() {
    let _ = Tensor::zeros([1 << 55], (Kind::Uint8, Device::Cpu));
}

pub(crate) fn scarce<F: Fn(Demand) -> bool + Send + Sync>(words: fn(), fails: F) -> Arc<Scarce<F>> {
    Arc::new(Scarce { fails, words, caches_dropped: AtomicU32::new(0), demands: Mutex::default() })
}

/// Two steps of eight images an epoch, and uneven parts once there are three.
fn job() -> Job {
    let job = job_of(json!({
        "stem": "small", "image_size": 8, "epochs": 2, "batch_size": 8, "lr": 2e-3, "augment": "strong", "seed": 5,
        "val_split": 0.25,
    }));
    shapes(&job.images(), 10);
    job
}

/// The bytes of a run that was stopped at `step` and told to go on in so many parts.
fn in_parts_from(step: u64, parts: u32) -> Vec<u8> {
    let job = job();
    let whole = (0 < step).then(|| job.attempt(None, StopAt::Step(step, StopCause::Preempted)));
    let job = job.granted(parts);
    job.attempt(whole.as_ref().and_then(Attempt::latest), StopAt::Never).final_bytes()
}

#[test]
fn a_step_that_runs_out_of_memory_is_taken_again_in_smaller_parts_and_nothing_else_is_lost() {
    for (work, words) in [
        (Work::Forward, as_cuda_says as fn()),
        (Work::Backward, as_cuda_says),
        (Work::Backward, as_the_cpu_says),
    ] {
        // By then the norms' statistics have moved with the first part, if it is backward that fails.
        let memory =
            scarce(words, move |demand| demand.work == work && demand.step == 1 && 4 < demand.images);
        let job = in_memory(job(), memory.clone());
        let attempt = job.attempt(None, StopAt::Never);
        assert_eq!(
            attempt.recorder.notes,
            ["out of memory with 8 images at a time; the step is taken again with 4 at a time"]
        );
        assert_eq!(memory.caches_dropped.load(Ordering::Relaxed), 1);
        let parts = [(0, 8), (1, 8), (1, 4), (1, 4), (2, 4), (2, 4), (3, 4), (3, 4)];
        assert_eq!(memory.parts(), parts, "{work:?}: no step is done again but the one that failed");
        assert!(attempt.final_bytes() == in_parts_from(1, 2), "{work:?}");
    }
}

#[test]
fn a_later_part_that_fails_takes_the_earlier_ones_with_it() {
    let seen = AtomicU32::new(0);
    // The second half of step 1 fails, after the first half went forward and back.
    let memory = scarce(as_cuda_says, move |demand| match demand.images {
        8 => demand.work == Work::Backward && demand.step == 1,
        4 => demand.work == Work::Backward && seen.fetch_add(1, Ordering::Relaxed) == 1,
        _ => false,
    });
    let job = in_memory(job(), memory.clone());
    let attempt = job.attempt(None, StopAt::Never);
    let parts = memory.parts();
    assert_eq!(&parts[..8], [(0, 8), (1, 8), (1, 4), (1, 4), (1, 2), (1, 2), (1, 2), (1, 2)]);
    assert!(attempt.final_bytes() == in_parts_from(1, 4));
}

#[test]
fn an_optimiser_that_runs_out_of_memory_begins_the_attempt_again() {
    let failed = AtomicU32::new(0);
    let memory = scarce(as_cuda_says, move |demand| {
        demand.work == Work::Optimizer && demand.step == 1 && failed.fetch_add(1, Ordering::Relaxed) == 0
    });
    let job = in_memory(job(), memory.clone());
    let attempt = job.attempt(None, StopAt::Never);
    assert_eq!(
        attempt.recorder.notes,
        ["out of memory with 8 images at a time; the attempt begins again with 4 at a time"]
    );
    assert_eq!(memory.parts()[..6], [(0, 8), (1, 8), (0, 4), (0, 4), (1, 4), (1, 4)]);
    assert!(attempt.final_bytes() == in_parts_from(0, 2));
}

#[test]
fn validation_that_runs_out_of_memory_is_done_again() {
    let memory = scarce(as_cuda_says, |demand| demand.work == Work::Validation && 4 < demand.images);
    let job = in_memory(job(), memory);
    let attempt = job.attempt(None, StopAt::Never);
    assert_eq!(
        attempt.recorder.notes,
        ["out of memory with 8 images at a time; validation is done again with 4 at a time"]
    );
    assert_eq!(attempt.recorder.metrics.len(), 2, "each epoch is told once");
    attempt.final_bytes();
}

#[test]
fn the_ladder_ends_where_a_norm_sees_two_images_and_names_the_peak() {
    let memory = scarce(as_cuda_says, |demand| demand.work == Work::Backward && demand.step == 1);
    let attempt = in_memory(job(), memory.clone()).attempt(None, StopAt::Never);
    let failure = attempt.failure();
    assert_eq!(failure.class, FailureClass::Oom);
    let begin =
        "out of memory with 2 images at a time, and batch normalisation needs 2; the peak was 22810 MiB: ";
    assert!(failure.message.starts_with(begin), "{failure}");
    assert!(failure.message.contains("CUDA out of memory. Tried to allocate 2.00 GiB."), "{failure}");
    assert_eq!(memory.parts(), [(0, 8), (1, 8), (1, 4), (1, 2)]);
    assert_eq!(attempt.recorder.notes.len(), 2);
}

#[test]
fn parts_that_were_needed_are_told_and_kept_unless_the_scheduler_knows_better() {
    let memory =
        scarce(as_cuda_says, |demand| demand.work == Work::Backward && demand.step == 1 && 4 < demand.images);
    let job = in_memory(job(), memory);
    let stopped = job.attempt(None, StopAt::Step(2, StopCause::Preempted));
    assert!(matches!(stopped.outcome, Err(RunError::Stopped(StopCause::Preempted))));
    assert_eq!(stopped.recorder.checkpoints.last(), Some(&(2, CheckpointRole::Periodic)));
    let told: Vec<_> = stopped.recorder.reports.iter().map(|told| (told.step, told.micro_batches)).collect();
    assert_eq!(told[told.len() - 3..], [(1, None), (1, Some(2)), (2, Some(2))], "before the step is over");
    assert_eq!(stopped.recorder.reports.last().unwrap().peak_memory_mib, Some(22_810));

    let mut job = job;
    for (granted, first) in [(None, 4), (Some(1), 8), (Some(4), 2), (Some(64), 2)] {
        let ample = scarce(as_cuda_says, |_| false);
        job = in_memory(job, ample.clone());
        job.micro_batches = granted;
        job.attempt(stopped.latest(), StopAt::Step(3, StopCause::Cancelled));
        assert_eq!(ample.parts()[0], (2, first), "{granted:?}");
    }
}

#[test]
fn other_panics_pass_the_ladder_by() {
    let memory = scarce(|| panic!("CUDA error: an illegal memory access was encountered"), |_| true);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        in_memory(job(), memory.clone()).attempt(None, StopAt::Never)
    }));
    assert!(panicked.is_err());
    assert_eq!(memory.parts().len(), 1);
}
