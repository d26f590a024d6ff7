use proptest::prelude::*;

use super::*;

/// A folder with these files; their content does not matter here.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        if file.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }
    folder
}

fn open(folder: &tempfile::TempDir) -> Result<ImageFolder, FolderError> {
    ImageFolder::open(folder.path(), &[folder.path().into()], 0.5)
}

fn names(files: &[ImageFile]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn train_and_val_are_used_where_they_are() {
    let folder = folder(&[
        "train/b/1.png",
        "train/a/2.png",
        "train/a/deep/3.png",
        "val/a/4.png",
        "test/a/5.png",
        "train/a/.hidden",
    ]);
    let opened = open(&folder).unwrap();
    assert_eq!(opened.classes, ["a", "b"]);
    assert_eq!(names(&opened.train), ["a/2.png", "a/deep/3.png", "b/1.png"]);
    assert_eq!(names(&opened.val), ["a/4.png"]);
    assert_eq!(opened.train.iter().map(|file| file.label).collect::<Vec<_>>(), [0, 0, 1]);
}

#[test]
fn test_stands_in_for_val() {
    let folder = folder(&["train/b/1.png", "train/a/2.png", "test/b/4.png"]);
    assert_eq!(names(&open(&folder).unwrap().val), ["b/4.png"]);
}

#[test]
fn classes_may_be_called_train_and_test() {
    let folder =
        folder(&["train/1.png", "train/2.png", "test/3.png", "test/4.png", "test/5.png", "train/6.png"]);
    let opened = open(&folder).unwrap();
    assert_eq!(opened.classes, ["test", "train"]);
    assert_eq!(opened.train.len() + opened.val.len(), 6);
}

#[test]
fn each_wrong_folder_is_named_with_what_would_be_right() {
    let cases: [(&[&str], &str); 5] = [
        (&["readme.txt"], "has no classes; it needs one folder of images for each class"),
        (&["cat/1.png", "dog/", "emu/"], "has classes without images: dog, emu"),
        (&["train/cat/1.png", "train/dog/"], "has classes without images: dog"),
        (&["train/a/1.png", "train/b/1.png", "val/c/1.png"], "holds classes that train/ has not: c"),
        (&["train/a/1.png", "train/b/1.png", "val/a/"], "is held out for validation; raise val_split"),
    ];
    for (files, expected) in cases {
        let folder = folder(files);
        let error = open(&folder).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }
}

#[test]
fn a_link_that_leads_outside_of_the_roots_is_left_out() {
    let outside = folder(&["secret.png"]);
    let inside = folder(&["a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/2.png", "b/3.png"]);
    std::os::unix::fs::symlink(outside.path().join("secret.png"), inside.path().join("a/4.png")).unwrap();
    std::os::unix::fs::symlink(outside.path(), inside.path().join("a/elsewhere")).unwrap();
    std::os::unix::fs::symlink(inside.path().join("a"), inside.path().join("a/circle")).unwrap();
    std::os::unix::fs::symlink(inside.path().join("a/1.png"), inside.path().join("b/linked.png")).unwrap();
    let opened = open(&inside).unwrap();
    assert_eq!(opened.train.len() + opened.val.len(), 7);
}

proptest! {
    /// Whatever else comes or goes, an image stays where it is; only the last image of a class that has no other one
    /// to learn from may move.
    #[test]
    fn the_split_depends_on_each_name_alone(keep in prop::collection::vec(any::<bool>(), 40), share in 0.05..0.95_f64) {
        let file = |i: usize| ImageFile { path: PathBuf::new(), name: format!("c{}/{i}.png", i % 2), label: i % 2, bytes: 1 };
        let all: Vec<ImageFile> = (0..40).map(file).collect();
        let some: Vec<ImageFile> = all.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(file, _)| file.clone()).collect();
        let (train_of_all, val_of_all) = split(all, 2, share);
        let (train, val) = split(some.clone(), 2, share);

        prop_assert_eq!(train.len() + val.len(), some.len());
        prop_assert!(val.iter().all(|file| val_of_all.contains(file)));
        let moved = train.iter().filter(|file| !train_of_all.contains(file)).count();
        prop_assert!(moved <= 2, "{moved} moved");
        for label in 0..2 {
            let has = |files: &[ImageFile]| files.iter().any(|file| file.label == label);
            prop_assert!(!has(&some) || has(&train));
        }
    }
}
