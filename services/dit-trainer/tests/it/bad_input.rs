//! Bad input: one clear error that names what is wrong and what would be right.

use contract::FailureClass;
use local_worker::StopAt;
use serde_json::json;

use crate::{Job, job};

fn fails_for_good(job: &Job, expected: &str) {
    let failure = job.attempt(None, StopAt::Never).failure().clone();
    assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
    assert!(failure.message.contains(expected), "{failure}");
}

#[test]
fn parameters_that_make_no_network_are_refused() {
    fails_for_good(
        &job().with("model", json!("dit-xxl")),
        "unknown variant `dit-xxl`, expected one of `tiny`",
    );
    fails_for_good(
        &job().with("patch_size", json!(3)),
        "patch_size is 3; it takes a divisor of image_size, which is 8",
    );
    fails_for_good(&job().with("patch_size", json!(0)), "patch_size is 0; it takes a divisor of image_size");
    fails_for_good(
        &job().with("image_size", json!(1024)).with("patch_size", json!(1)),
        "patch_size is 1; it takes what cuts an image into at most 4,096 patches",
    );
    fails_for_good(
        &job().with("warmup_steps", json!(7)),
        "warmup_steps is 7; it takes 0 to the number of steps",
    );
    fails_for_good(
        &job().with("batch_size", json!(60)).with("accumulation", json!(60)),
        "images a step cannot be learned from in 60 parts",
    );
}

#[test]
fn a_checkpoint_of_another_workload_is_refused() {
    let job = job();
    let path = job.folder.path().join("other.safetensors");
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    let text = [("rekindle".to_owned(), json!({ "workload": "classifier" }).to_string())].into();
    safetensors::serialize_to_file([("x", tensor)], Some(text), &path).unwrap();
    let failure = job.attempt(Some((1, path)), StopAt::Never).failure().clone();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("other.safetensors"), "{failure}");
}

#[test]
fn one_class_alone_can_be_learned() {
    let job = job().with("steps", json!(2));
    for class in ["bar", "disc"] {
        std::fs::remove_dir_all(job.images().join(class)).unwrap();
    }
    job.attempt(None, StopAt::Never).final_bytes();
}
