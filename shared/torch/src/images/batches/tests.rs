use std::convert::Infallible;

use image::{ImageBuffer, Rgb};

use super::*;
use crate::images::ImageFile;

/// Pictures whose brightness tells which one they are.
fn files(folder: &tempfile::TempDir, count: usize) -> Vec<ImageFile> {
    let file = |i: usize| {
        let path = folder.path().join(format!("{i:02}.png"));
        ImageBuffer::from_pixel(12, 12, Rgb([i as u8 * 3; 3])).save(&path).unwrap();
        ImageFile { path, name: format!("c/{i:02}.png"), label: i % 2, bytes: 1 }
    };
    (0..count).map(file).collect()
}

fn load(files: Vec<ImageFile>, augment: Augment, budget: u64) -> ImageSet {
    let loaded = ImageSet::load(files, augment.fit(8), budget, || Ok::<_, Infallible>(())).unwrap();
    assert_eq!(loaded.unreadable, []);
    loaded.set
}

#[test]
fn batches_are_functions_of_the_step_whether_kept_in_memory_or_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder, 10);
    let (kept, reread) = (load(files.clone(), Augment::Strong, 1 << 30), load(files, Augment::Strong, 100));
    assert!(kept.is_in_memory() && !reread.is_in_memory());

    let mut forwards = TrainBatches::new(&kept, Augment::Strong, 8, 3, 5);
    let in_order: Vec<Batch> = (0..9).map(|step| forwards.batch(step).unwrap()).collect();
    let mut backwards = TrainBatches::new(&reread, Augment::Strong, 8, 3, 5);
    for step in (0..9).rev() {
        assert_eq!(backwards.batch(step).unwrap(), in_order[step as usize], "step {step}");
    }
}

#[test]
fn an_epoch_shows_each_image_at_most_once() {
    let folder = tempfile::tempdir().unwrap();
    let set = load(files(&folder, 10), Augment::None, 1 << 30);
    let mut batches = TrainBatches::new(&set, Augment::None, 8, 3, 5);
    assert_eq!(batches.steps_per_epoch(), 3);
    for epoch in 0..4 {
        let mut seen: Vec<u8> = (0..3)
            .flat_map(|step| batches.batch(epoch * 3 + step).unwrap().pixels)
            .step_by(8 * 8 * 3)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 9);
    }
}

#[test]
fn validation_shows_each_image_once_in_order_and_normalised() {
    let folder = tempfile::tempdir().unwrap();
    let set = load(files(&folder, 5), Augment::None, 1 << 30);
    let batches: Vec<Batch> = ValBatches::new(&set, 8, 2).iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(batches.iter().map(|batch| batch.labels.len()).collect::<Vec<_>>(), [2, 2, 1]);
    let (images, labels) = batches[1].to_device(Device::Cpu, Scale::ImageNet);
    assert_eq!((images.size(), labels.size()), (vec![2, 3, 8, 8], vec![2]));
    let expected = (f64::from(3 * 3) / 255.0 - f64::from(CHANNEL_MEAN[1])) / f64::from(CHANNEL_STD[1]);
    assert!((images.double_value(&[1, 1, 4, 4]) - expected).abs() < 1e-5);
}

#[test]
fn an_image_that_is_lost_later_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let set = load(files(&folder, 4), Augment::None, 1);
    std::fs::remove_file(folder.path().join("02.png")).unwrap();
    let error = TrainBatches::new(&set, Augment::None, 8, 4, 0).batch(0).unwrap_err().to_string();
    assert!(error.starts_with("c/02.png could be read before and cannot be read now: "), "{error}");
}

#[test]
fn unreadable_images_are_named_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(&folder, 3);
    std::fs::write(&files[1].path, "no image").unwrap();
    files.push(ImageFile {
        path: folder.path().join("gone.png"),
        name: "c/gone.png".into(),
        label: 0,
        bytes: 0,
    });
    let loaded = ImageSet::load(files, Augment::None.fit(8), 1 << 30, || Ok::<_, Infallible>(())).unwrap();
    assert_eq!(loaded.set.files().len(), 2);
    let names: Vec<&str> = loaded.unreadable.iter().map(|unreadable| unreadable.name.as_str()).collect();
    assert_eq!(names, ["c/01.png", "c/gone.png"]);
}
