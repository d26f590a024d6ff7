//! The trainer as a worker sees it: a run goes in; steps, checkpoints, notes and a result come out. And that what it
//! learns is right.

mod bad_input;
mod learning;
mod memory;
mod recorded;
mod resume;
mod velocities;

use dit_trainer::DitTrainer;
use local_worker::images::shapes;
use serde_json::json;

type Job = local_worker::Job<DitTrainer>;

/// On the CPU, unless `REKINDLE_TEST_GPU` is set: then on the GPU that there has to be.
fn trainer() -> DitTrainer {
    if std::env::var_os("REKINDLE_TEST_GPU").is_some() {
        torch::set_up();
        assert!(torch::device().is_cuda(), "libtorch finds no GPU");
    }
    DitTrainer::new(1)
}

/// A small job on one thread that has everything in it that could go wrong at once: parts of uneven size, mirrored
/// images, images that do not fill the last batch, classes that are not told, clipping, and patience.
fn job() -> Job {
    let job = Job::new(
        trainer(),
        json!({
            "model": "tiny", "image_size": 8, "steps": 6, "batch_size": 7, "lr": 2e-3, "validate_every_steps": 2,
            "sample_every_steps": 3, "solver_steps": 2, "class_dropout": 0.3, "early_stop_patience": 2, "seed": 5,
            "val_split": 0.25,
        }),
    );
    shapes(&job.images(), 10);
    job
}
