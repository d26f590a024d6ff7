//! The trainer as a worker sees it: a run goes in; steps, checkpoints, notes and a result come out.

mod bad_input;
mod learning;
mod memory;
mod recorded;
mod resume;

use std::sync::Arc;

use classifier_trainer::Classifier;
use training::Memory;

type Job = local_worker::Job<Classifier>;

/// A job on one thread; on the CPU, unless `REKINDLE_TEST_GPU` is set: then on the GPU that there has to be.
fn job_of(params: serde_json::Value) -> Job {
    if std::env::var_os("REKINDLE_TEST_GPU").is_some() {
        torch::set_up();
        assert!(torch::device().is_cuda(), "libtorch finds no GPU");
    }
    Job::new(Classifier::new(1), params)
}

/// The same job on a machine with so many cores.
fn on_threads(mut job: Job, threads: u32) -> Job {
    job.trainer.threads = threads;
    job
}

/// The same job on a device with this memory.
fn in_memory(mut job: Job, memory: Arc<dyn Memory>) -> Job {
    job.trainer.memory = memory;
    job
}
