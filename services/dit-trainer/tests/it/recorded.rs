//! Steps that are recorded and replayed come to the same bytes as others. On a GPU, they are CUDA graphs; on the CPU, the same
//! tensors are written to and read.

use contract::StopCause;
use local_worker::StopAt;
use serde_json::json;
use training::Work;

use crate::{
    Job, job,
    memory::{parts, scarce},
};

fn recorded(mut job: Job) -> Job {
    job.trainer.cuda_graphs = true;
    job
}

#[test]
fn a_run_of_recorded_steps_ends_with_the_same_bytes() {
    for precision in ["fp32", "bf16"] {
        for parts in [1, 2] {
            let job = job().with("precision", json!(precision)).with("batch_size", json!(8));
            let job = job.with("accumulation", json!(parts));
            let others = job.attempt(None, StopAt::Never).final_bytes();
            let replayed = recorded(job).attempt(None, StopAt::Never).final_bytes();
            assert!(others == replayed, "{precision}, {parts}");
        }
    }
}

#[test]
fn a_run_of_recorded_steps_resumes_exactly() {
    let undisturbed = job().attempt(None, StopAt::Never).final_bytes();
    let job = recorded(job());
    for step in 1..6 {
        let stopped = job.attempt(None, StopAt::Step(step, StopCause::Preempted));
        let resumed = job.attempt(stopped.latest(), StopAt::Never).final_bytes();
        assert!(undisturbed == resumed, "stopped after step {step}");
    }
}

#[test]
fn a_step_that_runs_out_while_it_is_recorded_is_taken_again_in_smaller_parts() {
    // The first step that is recorded is the fourth.
    let run = |recorded: bool| {
        let memory = scarce(|demand| demand.work == Work::Backward && demand.step == 3 && 4 < demand.images);
        let mut job = job().with("batch_size", json!(8));
        job.trainer.cuda_graphs = recorded;
        job.trainer.memory = memory.clone();
        let attempt = job.attempt(None, StopAt::Never);
        assert_eq!(
            attempt.recorder.notes,
            ["out of memory with 8 images at a time; the step is taken again with 4 at a time"]
        );
        assert_eq!(parts(&memory)[..6], [(0, 8), (1, 8), (2, 8), (3, 8), (3, 4), (3, 4)]);
        attempt.final_bytes()
    };
    assert!(run(false) == run(true));
}
