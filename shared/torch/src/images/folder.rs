//! Which images there are, what class each is of, and which of them are held out.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{random::hash_name, roots};

/// A folder of images, sorted by name throughout.
#[derive(Debug)]
pub struct ImageFolder {
    /// The classes' names; an image's label is its class's place in here.
    pub classes: Vec<String>,
    /// What to learn from.
    pub train: Vec<ImageFile>,
    /// What to judge by.
    pub val: Vec<ImageFile>,
}

/// A file that should be an image. Whether it is, only decoding can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its class and what follows: `cat/1.jpg`.
    pub name: String,
    /// Its class's place among all.
    pub label: usize,
    /// Its size.
    pub bytes: u64,
}

/// The folder is not one to learn from.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Part of it cannot be listed; trying again may help.
    #[error("cannot list {}", path.display())]
    List {
        /// Which part.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It has no folders in it.
    #[error("{} has no classes; it needs one folder of images for each class, or train/ and val/ with those", .0.display())]
    NoClasses(PathBuf),
    /// Some of its classes are empty.
    #[error("{} has classes without images: {}; fill or remove them", path.display(), classes.join(", "))]
    EmptyClasses {
        /// The folder.
        path: PathBuf,
        /// Those classes.
        classes: Vec<String>,
    },
    /// `val/` has a class that `train/` has not.
    #[error("{} holds classes that train/ has not: {}", path.display(), classes.join(", "))]
    UnknownClasses {
        /// `val/` or `test/`.
        path: PathBuf,
        /// Those classes.
        classes: Vec<String>,
    },
    /// Nothing is held out.
    #[error("no image of {} is held out for validation; raise val_split, or add val/ with images", .0.display())]
    NoValidation(PathBuf),
}

impl ImageFolder {
    /// Finds the images below `path`: in `train/` and `val/` (or `test/`) where there is a `train/` with classes in it;
    /// otherwise `val_split` of them is held out, each by its own name, so that it stays when others come or go.
    /// What a symbolic link leads to is left out unless it lies below one of `roots`.
    ///
    /// # Errors
    /// [`FolderError`] names the folder and what is wrong with it.
    pub fn open(path: &Path, roots: &[PathBuf], val_split: f64) -> Result<Self, FolderError> {
        let train_path = path.join("train");
        let nested = train_path.is_dir() && !folders_in(&train_path)?.is_empty();
        let held_out = ["val", "test"].map(|name| path.join(name)).into_iter().find(|path| path.is_dir());
        let train_path = if nested { &train_path } else { path };

        let classes = folders_in(train_path)?;
        if classes.is_empty() {
            return Err(FolderError::NoClasses(train_path.into()));
        }
        let all = images_in(train_path, &classes, roots)?;
        let empty = |label: &usize| all.iter().all(|file| file.label != *label);
        let empty: Vec<String> =
            (0..classes.len()).filter(empty).map(|label| classes[label].clone()).collect();
        if !empty.is_empty() {
            return Err(FolderError::EmptyClasses { path: train_path.into(), classes: empty });
        }

        let (train, val) = match held_out.filter(|_| nested) {
            Some(val_path) => (all, validation_in(&val_path, &classes, roots)?),
            None => split(all, classes.len(), val_split),
        };
        if val.is_empty() {
            return Err(FolderError::NoValidation(path.into()));
        }
        Ok(Self { classes, train, val })
    }
}

fn validation_in(path: &Path, classes: &[String], roots: &[PathBuf]) -> Result<Vec<ImageFile>, FolderError> {
    let unknown: Vec<String> = folders_in(path)?.into_iter().filter(|name| !classes.contains(name)).collect();
    if !unknown.is_empty() {
        return Err(FolderError::UnknownClasses { path: path.into(), classes: unknown });
    }
    images_in(path, classes, roots)
}

/// Holds out every image whose name falls below `share`, but never the whole of a class.
fn split(all: Vec<ImageFile>, classes: usize, share: f64) -> (Vec<ImageFile>, Vec<ImageFile>) {
    let place = |file: &ImageFile| hash_name(&file.name) as f64 / u64::MAX as f64;
    let mut last_of_class: Vec<Option<(f64, String)>> = vec![None; classes];
    for file in &all {
        let last = &mut last_of_class[file.label];
        if last.as_ref().is_none_or(|(highest, _)| *highest < place(file)) {
            *last = Some((place(file), file.name.clone()));
        }
    }
    all.into_iter().partition(|file| {
        let is_last = last_of_class[file.label].as_ref().is_some_and(|(_, name)| *name == file.name);
        is_last || share <= place(file)
    })
}

/// The names of the folders in `path`, sorted; hidden ones are passed over.
fn folders_in(path: &Path) -> Result<Vec<String>, FolderError> {
    let entries = list(path)?.into_iter().filter(|entry| entry.is_dir());
    Ok(entries.filter_map(|entry| Some(entry.file_name()?.to_string_lossy().into_owned())).collect())
}

fn images_in(path: &Path, classes: &[String], roots: &[PathBuf]) -> Result<Vec<ImageFile>, FolderError> {
    let mut files = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let folder = path.join(class);
        if folder.is_dir() {
            collect(&folder, class, label, roots, &mut files)?;
        }
    }
    Ok(files)
}

fn collect(
    folder: &Path,
    name: &str,
    label: usize,
    roots: &[PathBuf],
    files: &mut Vec<ImageFile>,
) -> Result<(), FolderError> {
    for path in list(folder)? {
        if path.is_symlink() && !path.canonicalize().is_ok_and(|target| roots::is_below(&target, roots)) {
            continue;
        }
        let name = format!("{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            // A link to a folder above would lead round in circles.
            if !path.is_symlink() {
                collect(&path, &name, label, roots, files)?;
            }
        } else {
            let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            files.push(ImageFile { path, name, label, bytes });
        }
    }
    Ok(())
}

/// What is in a folder, sorted by name; hidden things are passed over.
fn list(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let failed = |error| FolderError::List { path: folder.into(), error };
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>())
        .map_err(failed)?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;
