//! Every bad input gives one clear failure.

use std::{fs, path::Path};

use contract::FailureClass;
use local_worker::{StopAt, images::shapes};
use serde_json::json;

use crate::{Job, job_of};

fn job() -> Job {
    let job =
        job_of(json!({ "stem": "small", "image_size": 16, "epochs": 1, "batch_size": 8, "augment": "none" }));
    shapes(&job.images(), 12);
    job
}

#[track_caller]
fn fails_for_good(job: &Job, expected: &str) {
    let attempt = job.attempt(None, StopAt::Never);
    let failure = attempt.failure();
    assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
    assert!(failure.message.contains(expected), "{failure}");
}

#[test]
fn a_parameter_that_is_wrong_is_named() {
    fails_for_good(&job().with("epochs", json!(0)), "params: epochs is 0; it takes 1 to 10,000");
    fails_for_good(&job().with("lr", json!("fast")), "params: invalid type: string \"fast\"");
}

#[test]
fn data_must_lie_below_a_root() {
    let outside = tempfile::tempdir().unwrap();
    shapes(outside.path(), 2);
    let roots = "lies outside of the folders that jobs may read: ";
    fails_for_good(&job().with("data", json!(outside.path())), roots);
    fails_for_good(&job().with("data", json!("../..")), roots);
    fails_for_good(&job().with("data", json!("imagez")), "data: imagez does not exist below ");
    fails_for_good(&job().with("init_from", json!("/etc/passwd")), "init_from: /etc/passwd lies outside of");

    let job = job();
    std::os::unix::fs::symlink(outside.path(), job.folder.path().join("link")).unwrap();
    fails_for_good(&job.with("data", json!("link")), roots);
}

#[test]
fn a_folder_without_two_filled_classes_is_refused() {
    let job = job();
    fs::create_dir(job.images().join("empty")).unwrap();
    fails_for_good(&job, "has classes without images: empty; fill or remove them");
    for class in ["empty", "disc", "square"] {
        fs::remove_dir_all(job.images().join(class)).unwrap();
    }
    fails_for_good(&job, "has a single class, \"bar\"; there must be two to tell apart");
    fs::remove_dir_all(job.images().join("bar")).unwrap();
    fails_for_good(&job, "has no classes; it needs one folder of images for each class");
}

#[test]
fn unreadable_images_are_named_counted_and_passed_over_up_to_a_share() {
    let job = job();
    fs::write(job.images().join("bar/broken.jpg"), "no image").unwrap();
    fs::write(job.images().join("disc/empty.png"), "").unwrap();
    let attempt = job.with("max_unreadable", json!(0.06)).attempt(None, StopAt::Never);
    assert_eq!(attempt.outcome.as_ref().unwrap().metrics["unreadable_images"], 2.0);
    let note = &attempt.recorder.notes[0];
    assert!(note.starts_with("2 of 38 images cannot be read and are passed over: "), "{note}");
    assert!(note.contains("bar/broken.jpg (it is not an image; JPEG, PNG and WebP are read)"), "{note}");
    assert!(note.contains("disc/empty.png (the file is empty)"), "{note}");

    let job = self::job();
    for index in 0..25 {
        fs::write(job.images().join(format!("bar/broken-{index}.jpg")), "no image").unwrap();
    }
    fails_for_good(
        &job,
        "25 of 61 images cannot be read; that is 41.0 %, and max_unreadable tolerates 5.0 %: bar/broken-0.jpg, ",
    );
}

#[test]
fn a_class_whose_images_are_all_unreadable_is_named() {
    let job = job().with("max_unreadable", json!(1.0));
    fs::create_dir(job.images().join("void")).unwrap();
    fs::write(job.images().join("void/a.png"), "no image").unwrap();
    fails_for_good(&job, "no training image of class \"void\" can be read");
}

#[test]
fn a_part_of_a_batch_with_one_image_is_refused() {
    fails_for_good(
        &job().with("accumulation", json!(8)),
        "8 images a step in 8 parts leave a part with fewer than two",
    );
}

#[test]
fn odd_images_as_they_come_in_real_sets_never_end_a_run() {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/odd-images");
    if !pack.is_dir() {
        println!("skipped: there is no {}", pack.display());
        return;
    }
    let job = job();
    for file in fs::read_dir(pack).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), job.images().join("disc").join(file.file_name())).unwrap();
    }
    let attempt = job.attempt(None, StopAt::Never);
    assert_eq!(attempt.outcome.as_ref().unwrap().metrics["unreadable_images"], 1.0);
    assert!(
        attempt.recorder.notes[0].contains("disc/gif-named.jpg (it is Gif; JPEG, PNG and WebP are read)")
    );
}
