//! Memory that does not suffice: the same ladder as the classifier's, down to one image at a time.

use std::sync::{Arc, Mutex};

use contract::FailureClass;
use local_worker::StopAt;
use serde_json::json;
use training::{Demand, Memory, Work};

use crate::job;

/// A device on which some demands fail.
pub(crate) struct Scarce {
    fails: fn(Demand) -> bool,
    parts: Mutex<Vec<(u64, i64)>>,
}

impl std::fmt::Debug for Scarce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scarce")
    }
}

impl Memory for Scarce {
    fn about_to(&self, demand: Demand) {
        if demand.work == Work::Forward {
            self.parts.lock().unwrap().push((demand.step, demand.images));
        }
        assert!(!(self.fails)(demand), "CUDA out of memory. Tried to allocate 2.00 GiB.");
    }

    fn drop_cache(&self) {}

    fn reset_peak(&self) {}

    fn peak_mib(&self) -> Option<u64> {
        Some(22_810)
    }
}

pub(crate) fn scarce(fails: fn(Demand) -> bool) -> Arc<Scarce> {
    Arc::new(Scarce { fails, parts: Mutex::default() })
}

/// Parts that went forward, as (step, images), in their order.
pub(crate) fn parts(memory: &Scarce) -> Vec<(u64, i64)> {
    memory.parts.lock().unwrap().clone()
}

#[test]
fn a_step_that_runs_out_is_taken_again_in_smaller_parts_and_comes_to_the_same() {
    let memory = scarce(|demand| demand.work == Work::Backward && 4 < demand.images);
    let mut job = job().with("batch_size", json!(8)).with("steps", json!(2));
    job.trainer.memory = memory.clone();
    let attempt = job.attempt(None, StopAt::Never);
    assert_eq!(
        attempt.recorder.notes,
        ["out of memory with 8 images at a time; the step is taken again with 4 at a time"]
    );
    assert_eq!(parts(&memory), [(0, 8), (0, 4), (0, 4), (1, 4), (1, 4)]);
    let ample = crate::job().with("batch_size", json!(8)).with("steps", json!(2)).granted(2);
    assert!(attempt.final_bytes() == ample.attempt(None, StopAt::Never).final_bytes());
}

#[test]
fn the_ladder_ends_with_one_image_and_names_the_peak() {
    let mut job = job();
    job.trainer.memory = scarce(|demand| demand.work == Work::Backward);
    let attempt = job.attempt(None, StopAt::Never);
    let failure = attempt.failure();
    assert_eq!(failure.class, FailureClass::Oom);
    let begin = "out of memory with one image at a time, and there are no fewer; the peak was 22810 MiB: ";
    assert!(failure.message.starts_with(begin), "{failure}");
}

#[test]
fn samples_that_run_out_begin_the_attempt_again_in_smaller_parts() {
    let mut job = job();
    job.trainer.memory = scarce(|demand| demand.work == Work::Sampling);
    let attempt = job.attempt(None, StopAt::Never);
    assert_eq!(attempt.failure().class, FailureClass::Oom);
    assert!(
        attempt.recorder.notes[0].ends_with("the attempt begins again with 4 at a time"),
        "{:?}",
        attempt.recorder.notes
    );
}
