//! Steps that are recorded and replayed come to the same bytes as others. On a GPU, they are CUDA graphs; on the CPU, the same
//! tensors are written to and read.

use contract::StopCause;
use local_worker::{StopAt, images::shapes};
use serde_json::json;
use training::Work;

use crate::{
    Job, in_memory, job_of,
    memory::{as_cuda_says, scarce},
};

/// Six steps, of which the first three are not recorded yet.
fn job(precision: &str) -> Job {
    let job = job_of(json!({
        "stem": "small", "image_size": 8, "epochs": 2, "batch_size": 8, "lr": 2e-3, "augment": "strong", "seed": 5,
        "precision": precision, "val_split": 0.2,
    }));
    shapes(&job.images(), 10);
    job
}

fn recorded(mut job: Job) -> Job {
    job.trainer.cuda_graphs = true;
    job
}

#[test]
fn a_run_of_recorded_steps_ends_with_the_same_bytes() {
    for precision in ["fp32", "bf16"] {
        for parts in [1, 2] {
            let job = job(precision).with("accumulation", json!(parts));
            let others = job.attempt(None, StopAt::Never).final_bytes();
            let replayed = recorded(job).attempt(None, StopAt::Never).final_bytes();
            assert!(others == replayed, "{precision}, {parts}");
        }
    }
}

#[test]
fn a_run_of_recorded_steps_resumes_exactly() {
    let undisturbed = job("fp32").attempt(None, StopAt::Never).final_bytes();
    let job = recorded(job("fp32"));
    for step in 1..6 {
        let stopped = job.attempt(None, StopAt::Step(step, StopCause::Preempted));
        let resumed = job.attempt(stopped.latest(), StopAt::Never).final_bytes();
        assert!(undisturbed == resumed, "stopped after step {step}");
    }
}

#[test]
fn a_step_that_runs_out_while_it_is_recorded_is_taken_again_in_smaller_parts() {
    let run = |recorded: bool| {
        let memory = scarce(as_cuda_says, |demand| {
            demand.work == Work::Backward && demand.step == 3 && 4 < demand.images
        });
        let mut job = in_memory(job("fp32"), memory.clone());
        job.trainer.cuda_graphs = recorded;
        let attempt = job.attempt(None, StopAt::Never);
        assert_eq!(
            attempt.recorder.notes,
            ["out of memory with 8 images at a time; the step is taken again with 4 at a time"]
        );
        assert_eq!(memory.parts()[..6], [(0, 8), (1, 8), (2, 8), (3, 8), (3, 4), (3, 4)]);
        attempt.final_bytes()
    };
    assert!(run(false) == run(true));
}
