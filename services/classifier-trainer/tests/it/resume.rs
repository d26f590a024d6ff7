//! Exact resume: a run that is stopped anywhere ends with the same bytes as one that is not.

use std::collections::BTreeSet;

use contract::{FailureClass, StopCause, checkpoints::CheckpointRole};
use local_worker::{Attempt, StopAt, images::shapes};
use serde_json::{Value, json};
use worker::RunError;

use crate::{Job, job_of, on_threads};

/// Everything that could go wrong at once: strong augmentation, accumulation in uneven parts, clipping, smoothing,
/// images that do not fill the last batch, and patience. Some 20 of 30 images are learned from, in 2 steps of 7 an
/// epoch.
fn job(precision: &str) -> Job {
    let job = job_of(json!({
        "stem": "small", "image_size": 8, "epochs": 3, "batch_size": 7, "accumulation": 1, "lr": 2e-3,
        "augment": "strong", "early_stop_patience": 2, "seed": 5, "precision": precision, "val_split": 0.25,
    }));
    shapes(&job.images(), 10);
    job
}

/// Runs to the end, stopping and resuming after every single step.
fn in_steps(job: &Job) -> Vec<u8> {
    let mut attempt = job.attempt(None, StopAt::Step(1, StopCause::Preempted));
    while let Err(error) = &attempt.outcome {
        assert!(matches!(error, RunError::Stopped(StopCause::Preempted)), "{error}");
        let latest = attempt.latest().expect("a preempted run leaves a checkpoint");
        let next = latest.0 + 1;
        attempt = job.attempt(Some(latest), StopAt::Step(next, StopCause::Preempted));
    }
    attempt.final_bytes()
}

/// Runs to the end after a stop in the middle.
fn after_stop(job: &Job, stopped: &Attempt) -> Vec<u8> {
    job.attempt(stopped.latest(), StopAt::Never).final_bytes()
}

#[test]
fn a_run_stopped_after_every_step_ends_with_the_same_bytes() {
    for precision in ["fp32", "bf16"] {
        let job = job(precision);
        let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
        assert!(
            undisturbed == job.attempt(None, StopAt::Never).final_bytes(),
            "{precision}: not even twice the same"
        );
        assert!(undisturbed == in_steps(&job), "{precision}");
    }
}

#[test]
fn a_run_keeps_its_number_of_threads_on_a_machine_with_another() {
    let job = on_threads(job("fp32").with("epochs", json!(2)), 2);
    let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
    let stopped = job.attempt(None, StopAt::Step(2, StopCause::Preempted));
    let job = on_threads(job, 1);
    assert!(undisturbed == after_stop(&job, &stopped));
}

#[test]
fn parts_of_a_batch_resume_exactly_too() {
    let job = job("fp32").with("batch_size", json!(8)).with("accumulation", json!(4));
    let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
    assert!(undisturbed == in_steps(&job));
}

#[test]
fn a_run_stopped_anywhere_resumes_from_its_last_checkpoint_exactly() {
    let job = job("fp32").with("epochs", json!(2));
    let whole = job.attempt(None, StopAt::Never);
    let undisturbed = whole.final_bytes();
    // Each report is a place to stop at: reading images, a step, a batch of validation.
    for report in 1..=whole.recorder.reports.len() {
        let stopped = job.attempt(None, StopAt::Report(report, StopCause::Timeout));
        assert!(matches!(stopped.outcome, Err(RunError::Stopped(StopCause::Timeout))), "report {report}");
        assert!(undisturbed == after_stop(&job, &stopped), "stopped at report {report}");
    }
}

#[test]
fn a_run_that_is_killed_repeats_the_steps_since_its_last_checkpoint_exactly() {
    let job = job("fp32");
    let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
    for checkpoint in [1, 2, 3] {
        // Cancelled, a run writes nothing more: to its history, that is like a kill.
        let killed = job.attempt_with(
            None,
            StopAt::Step(checkpoint + 2, StopCause::Cancelled),
            BTreeSet::from([checkpoint]),
        );
        let path = killed.recorder.written[&checkpoint].clone();
        assert!(
            undisturbed == job.attempt(Some((checkpoint, path)), StopAt::Never).final_bytes(),
            "{checkpoint}"
        );
    }
}

#[test]
fn a_run_goes_on_exactly_from_the_checkpoint_of_its_best_epoch() {
    let job = job("fp32");
    let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
    // The first epoch is the best one so far; the run is killed in the step after it.
    let killed = job.attempt(None, StopAt::Step(3, StopCause::Superseded));
    assert_eq!(killed.recorder.checkpoints, [(2, CheckpointRole::Best)]);
    assert!(undisturbed == after_stop(&job, &killed));
}

#[test]
fn a_finished_run_that_is_resumed_leaves_the_same_things_again() {
    let job = job("fp32");
    let first = job.attempt(None, StopAt::Never);
    let bytes = first.final_bytes();
    let model = std::fs::read(&first.recorder.artifacts["model.safetensors"]).unwrap();
    let again = job.attempt(first.latest(), StopAt::Never);
    assert!(bytes == again.final_bytes());
    assert!(model == std::fs::read(&again.recorder.artifacts["model.safetensors"]).unwrap());
}

#[test]
fn a_cancelled_run_writes_nothing_more() {
    let stopped = job("fp32").attempt(None, StopAt::Step(2, StopCause::Cancelled));
    assert!(matches!(stopped.outcome, Err(RunError::Stopped(StopCause::Cancelled))));
    assert!(stopped.recorder.checkpoints.is_empty());
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_the_difference_named() {
    let job = job("fp32");
    let stopped = job.attempt(None, StopAt::Step(2, StopCause::Preempted));
    let cases: [(&str, Value, &str); 4] = [
        ("arch", json!("resnet34"), "arch was \"resnet18\" and is \"resnet34\""),
        ("seed", json!(6), "seed was 5 and is 6"),
        ("image_size", json!(24), "image_size was 8 and is 24"),
        ("epochs", json!(4), "epochs was 3 and is 4"),
    ];
    let mut job = job;
    let original = json!({ "arch": "resnet18", "seed": 5, "image_size": 8, "epochs": 3 });
    for (name, value, expected) in cases {
        job = job.with(name, value);
        let failure = job.attempt(stopped.latest(), StopAt::Never).failure().clone();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains("it belongs to another run: "), "{failure}");
        assert!(failure.message.contains(expected), "{failure}");
        job = job.with(name, original[name].clone());
    }
}

#[test]
fn images_that_changed_since_the_checkpoint_are_noticed() {
    let job = job("fp32");
    let stopped = job.attempt(None, StopAt::Step(2, StopCause::Preempted));
    std::fs::copy(job.images().join("bar/000.png"), job.images().join("disc/another.png")).unwrap();
    let failure = job.attempt(stopped.latest(), StopAt::Never).failure().clone();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("the images have changed ("), "{failure}");

    std::fs::rename(job.images().join("bar"), job.images().join("pole")).unwrap();
    let failure = job.attempt(stopped.latest(), StopAt::Never).failure().clone();
    assert!(failure.message.contains("classes were [\"bar\", \"disc\", \"square\"] and are"), "{failure}");
}

#[test]
fn a_file_that_is_no_checkpoint_is_refused() {
    let job = job("fp32");
    let path = job.folder.path().join("text.safetensors");
    std::fs::write(&path, "no tensors").unwrap();
    let failure = job.attempt(Some((1, path)), StopAt::Never).failure().clone();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("text.safetensors is not a whole safetensors file"), "{failure}");
}
