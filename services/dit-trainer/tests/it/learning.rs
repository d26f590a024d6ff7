//! That something is learned, and that what is left behind can be used.

use contract::{FailureClass, checkpoints::CheckpointRole};
use dit_trainer::{Generator, Sampler, noise, pictures};
use local_worker::StopAt;
use serde_json::json;
use tch::{Device, Tensor};

use crate::job;

#[test]
fn the_loss_falls_and_everything_is_reported() {
    let job =
        job().with("steps", json!(60)).with("batch_size", json!(16)).with("validate_every_steps", json!(20));
    let job = job.with("sample_every_steps", json!(30)).with("early_stop_patience", json!(0));
    let attempt = job.attempt(None, StopAt::Never);
    let result = attempt.outcome.as_ref().unwrap();
    let recorder = &attempt.recorder;

    let losses: Vec<f64> = recorder.metrics.iter().map(|(_, figures)| figures["val_loss"]).collect();
    assert_eq!(recorder.metrics.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [20, 40, 60]);
    assert!(losses[2] < losses[1] && losses[1] < losses[0], "{losses:?}");
    assert!((result.metrics["best_val_loss"] - losses[2]).abs() < 1e-12);
    let best = recorder.checkpoints.iter().filter(|(_, role)| *role == CheckpointRole::Best);
    assert_eq!(best.map(|(step, _)| *step).collect::<Vec<_>>(), [20, 40, 60]);
    for picture in ["samples.png", "samples-0000030.png", "curves.png"] {
        assert!(image::open(&recorder.artifacts[picture]).is_ok(), "{picture}");
    }
    let last = recorder.reports.last().unwrap();
    assert_eq!((last.step, last.steps_total), (60, Some(60)));
}

#[test]
fn a_checkpoint_generates_the_same_pictures_each_time() {
    let job = job();
    let attempt = job.attempt(None, StopAt::Never);
    attempt.final_bytes();
    let (_, path) = attempt.latest().unwrap();
    let sample = || {
        let generator = Generator::open(&path, Device::Cpu).unwrap();
        assert_eq!((generator.step, generator.classes.len()), (6, 3));
        let start = noise(&generator.model, 1, 2);
        let labels = Tensor::from_slice(&[0_i64, 2]);
        let sampler = Sampler::of(&generator.params);
        let sampled = sampler.sample(&generator.model, &start, &labels, || Ok::<(), ()>(())).unwrap();
        pictures(&generator.model, &sampled)
    };
    let first = sample();
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [8 * 8 * 3; 2]);
    assert_eq!(first, sample());
}

#[test]
fn training_ends_early_when_nothing_gets_better() {
    // With a rate this small, the loss cannot change in its first digits, and does not fall for long.
    let job = job().with("lr", json!(1e-30)).with("steps", json!(40)).with("sample_every_steps", json!(0));
    let attempt = job.attempt(None, StopAt::Never);
    attempt.outcome.as_ref().unwrap();
    assert_eq!(attempt.recorder.metrics.len(), 3);
}

#[test]
fn a_loss_that_is_no_number_is_told_with_the_step_that_the_run_went_on_from() {
    let job = job().with("lr", json!(10.0)).with("weight_decay", json!(10.0)).with("clip_norm", json!(0.0));
    let job =
        job.with("steps", json!(400)).with("warmup_steps", json!(0)).with("sample_every_steps", json!(0));
    let job = job.with("early_stop_patience", json!(0));
    let attempt = job.attempt(None, StopAt::Never);
    let failure = attempt.failure();
    assert_eq!((failure.class, failure.diverged_from_step), (FailureClass::Transient, Some(0)));
    assert!(failure.message.starts_with("the loss is not a number any more at step "), "{failure}");
}
