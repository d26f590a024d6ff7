//! That something is learned, and that what is left behind can be used.

use std::collections::BTreeMap;

use contract::{FailureClass, StopCause, checkpoints::CheckpointRole};
use local_worker::{
    StopAt,
    images::{SHAPES, shapes},
};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::{Job, job_of};

fn job() -> Job {
    let job = job_of(json!({
        "stem": "small", "image_size": 16, "epochs": 6, "batch_size": 16, "lr": 2e-3, "augment": "light",
        "warmup_epochs": 1,
    }));
    shapes(&job.images(), 40);
    job
}

#[test]
fn shapes_are_learned_and_everything_is_reported() {
    let job = job();
    let attempt = job.attempt(None, StopAt::Never);
    let result = attempt.outcome.as_ref().unwrap();
    let recorder = &attempt.recorder;

    let accuracy = result.metrics["best_val_accuracy"];
    assert!(0.9 <= accuracy, "{:?}", recorder.metrics);
    for name in ["val_accuracy", "val_loss", "epochs", "images_per_second", "unreadable_images", "best_epoch"]
    {
        assert!(result.metrics[name].is_finite(), "{name}");
    }

    let last = recorder.reports.last().unwrap();
    assert_eq!((Some(last.step), last.epoch), (last.steps_total, Some(6)));
    assert!(last.loss.unwrap() < 1.0 && 0.0 < last.steps_per_second.unwrap());
    let steps: Vec<u64> = recorder.reports.iter().map(|report| report.step).collect();
    assert!(steps.is_sorted());

    assert_eq!(recorder.metrics.len(), 6);
    let roles = |role| recorder.checkpoints.iter().filter(|(_, r)| *r == role).count();
    assert!(1 <= roles(CheckpointRole::Best));
    assert_eq!((roles(CheckpointRole::Final), roles(CheckpointRole::Periodic)), (1, 0));
    for picture in ["curves.png", "confusion.png"] {
        assert!(image::open(&recorder.artifacts[picture]).is_ok(), "{picture}");
    }
}

#[test]
fn a_run_in_bf16_is_told_where_that_is_no_faster() {
    let is_told = |precision: &str| {
        let job = job().with("epochs", json!(1)).with("precision", json!(precision));
        job.attempt(None, StopAt::Never).recorder.notes.iter().any(|note| note.contains("bf16"))
    };
    assert_eq!(is_told("bf16"), !torch::is_faster_in_bf16(torch::device()));
    assert!(!is_told("fp32"));
}

#[test]
fn the_model_has_torchvisions_names_and_says_how_to_use_it() {
    let job = job().with("epochs", json!(1));
    let attempt = job.attempt(None, StopAt::Never);
    let bytes = std::fs::read(&attempt.recorder.artifacts["model.safetensors"]).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    // torchvision's resnet18 has 122 entries.
    assert_eq!(file.len(), 122);
    assert_eq!(file.tensor("fc.weight").unwrap().shape(), [3, 512]);
    assert_eq!(file.tensor("layer4.1.bn2.num_batches_tracked").unwrap().data(), 5_i64.to_le_bytes());

    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let text: Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["rekindle"]).unwrap();
    assert_eq!(text["classes"], json!(SHAPES));
    assert_eq!(text["arch"], "resnet18");
    assert!(text["preprocessing"]["mean"].is_array());
}

#[test]
fn a_trained_model_can_be_started_from() {
    let job = job();
    let first = job.attempt(None, StopAt::Never);
    let accuracy = first.outcome.as_ref().unwrap().metrics["best_val_accuracy"];
    std::fs::copy(
        &first.recorder.artifacts["model.safetensors"],
        job.folder.path().join("start.safetensors"),
    )
    .unwrap();

    let next =
        job.with("init_from", json!("start.safetensors")).with("epochs", json!(1)).with("lr", json!(1e-5));
    let attempt = next.attempt(None, StopAt::Never);
    assert!(accuracy - 0.1 <= attempt.outcome.as_ref().unwrap().metrics["val_accuracy"]);
    assert!(
        attempt.recorder.notes[0].starts_with("starting from the weights in "),
        "{:?}",
        attempt.recorder.notes
    );

    // With other classes, everything but the head is taken over.
    std::fs::create_dir(next.images().join("zigzag")).unwrap();
    for index in 0..5 {
        let name = format!("{index:03}.png");
        std::fs::copy(next.images().join("bar").join(&name), next.images().join("zigzag").join(&name))
            .unwrap();
    }
    let attempt = next.attempt(None, StopAt::Step(1, StopCause::Cancelled));
    assert!(attempt.recorder.notes[0].ends_with("; its head has another size and is left out"));

    let other = next.with("arch", json!("resnet34"));
    let failure = other.attempt(None, StopAt::Never).failure().clone();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(
        failure.message.contains("does not fit the network: the file lacks layer1.2.bn1.bias, "),
        "{failure}"
    );
    let other = other.with("arch", json!("resnet18")).with("stem", json!("imagenet"));
    let failure = other.attempt(None, StopAt::Never).failure().clone();
    let expected = "conv1.weight is [64, 3, 3, 3] in the file and [64, 3, 7, 7] in the network";
    assert!(failure.message.contains(expected), "{failure}");
}

#[test]
fn training_ends_early_when_nothing_gets_better() {
    // With a rate this small, the accuracy cannot change.
    let job = job().with("lr", json!(1e-12)).with("epochs", json!(9)).with("early_stop_patience", json!(2));
    let attempt = job.attempt(None, StopAt::Never);
    assert!(attempt.outcome.unwrap().metrics["epochs"] < 9.0);
}

#[test]
fn checkpoints_come_every_so_many_steps_where_asked_for() {
    let job = job().with("epochs", json!(2)).with("checkpoint_every_steps", json!(4));
    let attempt = job.attempt(None, StopAt::Never);
    let periodic = attempt.recorder.checkpoints.iter().filter(|(_, role)| *role == CheckpointRole::Periodic);
    assert_eq!(periodic.map(|(step, _)| *step).collect::<Vec<_>>(), [4, 8]);
}

#[test]
fn a_loss_that_is_no_number_is_told_with_the_step_that_the_run_went_on_from() {
    let job = job().with("lr", json!(10.0)).with("clip_norm", json!(0.0)).with("epochs", json!(200));
    let job = job.with("warmup_epochs", json!(0.0)).with("weight_decay", json!(10.0));
    let first = job.attempt(None, StopAt::Never);
    let failure = first.failure();
    assert_eq!((failure.class, failure.diverged_from_step), (FailureClass::Transient, Some(0)));
    assert!(failure.message.starts_with("the loss is not a number any more at step "), "{failure}");
    assert!(failure.message.contains("with a learning rate of "), "{failure}");
    for path in first.recorder.written.values() {
        assert!(has_only_numbers(&std::fs::read(path).unwrap()), "{}", path.display());
    }
}

fn has_only_numbers(file: &[u8]) -> bool {
    let file = SafeTensors::deserialize(file).unwrap();
    let tensors: BTreeMap<_, _> =
        file.tensors().into_iter().filter(|(name, _)| name.starts_with("model.")).collect();
    tensors
        .values()
        .flat_map(|tensor| tensor.data().chunks_exact(4))
        .all(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks have four bytes")).is_finite())
}
