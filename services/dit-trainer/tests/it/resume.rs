//! Exact resume: a run that is stopped anywhere ends with the same bytes as one that is not, the averaged weights
//! included.

use std::collections::BTreeSet;

use contract::{FailureClass, StopCause, checkpoints::CheckpointRole};
use local_worker::{Attempt, StopAt};
use serde_json::{Value, json};
use worker::RunError;

use crate::{Job, job};

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
        let job = job().with("precision", json!(precision));
        let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
        assert!(
            undisturbed == job.attempt(None, StopAt::Never).final_bytes(),
            "{precision}: not even twice the same"
        );
        assert!(undisturbed == in_steps(&job), "{precision}");
    }
}

#[test]
fn parts_of_a_batch_resume_exactly_too() {
    let job = job().with("batch_size", json!(8)).with("accumulation", json!(4));
    let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
    assert!(undisturbed == in_steps(&job));
}

#[test]
fn a_run_keeps_its_number_of_threads_on_a_machine_with_another() {
    let mut job = job();
    job.trainer.threads = 2;
    let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
    let stopped = job.attempt(None, StopAt::Step(2, StopCause::Preempted));
    job.trainer.threads = 1;
    assert!(undisturbed == after_stop(&job, &stopped));
}

#[test]
fn a_run_stopped_anywhere_resumes_from_its_last_checkpoint_exactly() {
    let job = job();
    let whole = job.attempt(None, StopAt::Never);
    let undisturbed = whole.final_bytes();
    // Each report is a place to stop at: reading images, a step, a batch of validation, a step of a sample.
    for report in 1..=whole.recorder.reports.len() {
        let stopped = job.attempt(None, StopAt::Report(report, StopCause::Timeout));
        assert!(matches!(stopped.outcome, Err(RunError::Stopped(StopCause::Timeout))), "report {report}");
        assert!(undisturbed == after_stop(&job, &stopped), "stopped at report {report}");
    }
}

#[test]
fn a_run_that_is_killed_repeats_the_steps_since_its_last_checkpoint_exactly() {
    let job = job();
    let undisturbed = job.attempt(None, StopAt::Never).final_bytes();
    for checkpoint in [1, 2, 3] {
        // Cancelled, a run writes nothing more: to its history, that is like a kill.
        let killed = job.attempt_with(
            None,
            StopAt::Step(checkpoint + 2, StopCause::Cancelled),
            BTreeSet::from([checkpoint]),
        );
        let path = killed.recorder.written[&checkpoint].clone();
        let resumed = job.attempt(Some((checkpoint, path)), StopAt::Never).final_bytes();
        assert!(undisturbed == resumed, "{checkpoint}");
    }
}

#[test]
fn a_finished_run_that_is_resumed_leaves_the_same_things_again() {
    let job = job();
    let first = job.attempt(None, StopAt::Never);
    let bytes = first.final_bytes();
    let kept = |attempt: &Attempt, name: &str| std::fs::read(&attempt.recorder.artifacts[name]).unwrap();
    let before = ["model.safetensors", "samples.png", "curves.png"].map(|name| kept(&first, name));
    let again = job.attempt(first.latest(), StopAt::Never);
    assert!(bytes == again.final_bytes());
    assert!(before == ["model.safetensors", "samples.png", "curves.png"].map(|name| kept(&again, name)));
}

#[test]
fn a_cancelled_run_writes_nothing_more() {
    let stopped = job().attempt(None, StopAt::Step(1, StopCause::Cancelled));
    assert!(matches!(stopped.outcome, Err(RunError::Stopped(StopCause::Cancelled))));
    assert!(stopped.recorder.checkpoints.is_empty());
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_the_difference_named() {
    let mut job = job();
    let stopped = job.attempt(None, StopAt::Step(2, StopCause::Preempted));
    assert!(stopped.recorder.checkpoints.contains(&(2, CheckpointRole::Periodic)));
    let cases: [(&str, Value, Value, &str); 4] = [
        ("model", json!("tiny"), json!("dit-s"), "model was \"tiny\" and is \"dit-s\""),
        ("seed", json!(5), json!(6), "seed was 5 and is 6"),
        ("image_size", json!(8), json!(16), "image_size was 8 and is 16"),
        ("ema_decay", json!(0.9999), json!(0.9), "ema_decay was 0.9999 and is 0.9"),
    ];
    for (name, before, now, expected) in cases {
        job = job.with(name, now);
        let failure = job.attempt(stopped.latest(), StopAt::Never).failure().clone();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains("it belongs to another run: "), "{failure}");
        assert!(failure.message.contains(expected), "{failure}");
        job = job.with(name, before);
    }
    // How samples are drawn is no part of what is learned.
    let job = job.with("guidance", json!(5.0));
    job.attempt(stopped.latest(), StopAt::Never).final_bytes();
}
