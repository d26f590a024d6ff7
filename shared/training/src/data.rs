//! The job's images, checked before anything is learned from them.

use std::{collections::BTreeMap, path::PathBuf};

use contract::Failure;
use torch::{
    cache_budget, find_below,
    images::{Fit, FolderError, ImageFile, ImageFolder, ImageSet, Loaded, Unreadable},
};
use worker::{Control, RunError};

/// How many unreadable images are named.
const NAMED: usize = 20;

/// Where a run's images are, and what they must be.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The folder, below one of the roots.
    pub folder: &'a str,
    /// The share held out where the folder does not say which are.
    pub val_split: f64,
    /// The share of unreadable images above which the run fails.
    pub max_unreadable: f64,
    /// Whether there must be two classes to tell apart.
    pub several_classes: bool,
    /// What is kept of each image that is learned from.
    pub train: Fit,
    /// What is kept of each that is held out.
    pub val: Fit,
}

/// Everything a run learns from.
#[derive(Debug)]
pub struct Images {
    /// The classes' names, by label.
    pub classes: Vec<String>,
    /// What is learned from.
    pub train: ImageSet,
    /// What is held out.
    pub val: ImageSet,
    /// How many files could not be read.
    pub unreadable: usize,
    /// Tells this set of images from any other: a hash of names, sizes and which are held out.
    pub(crate) digest: String,
}

impl Images {
    /// Finds, reads and checks the images of a run. `meanwhile` is called now and then.
    ///
    /// # Errors
    /// Permanent, with what is wrong and what would be right, unless a folder cannot be listed; or what `meanwhile` says.
    pub fn open(
        source: &Source<'_>,
        roots: &[PathBuf],
        control: &mut dyn Control,
        mut meanwhile: impl FnMut(&mut dyn Control) -> Result<(), RunError>,
    ) -> Result<Self, RunError> {
        let path =
            find_below(source.folder, roots).map_err(|error| Failure::permanent(format!("data: {error}")))?;
        let ImageFolder { classes, train, val } =
            ImageFolder::open(&path, roots, source.val_split).map_err(failure)?;
        if let ([class], true) = (classes.as_slice(), source.several_classes) {
            let message = format!(
                "data: {} has a single class, {class:?}; there must be two to tell apart",
                path.display()
            );
            return Err(Failure::permanent(message).into());
        }
        let found = train.len() + val.len();

        let budget = cache_budget();
        let mut load = |files: Vec<ImageFile>, fit: Fit, budget: u64| -> Result<Loaded, RunError> {
            ImageSet::load(files, fit, budget, || meanwhile(control))
        };
        let val = load(val, source.val, budget / 4)?;
        let train = load(train, source.train, budget - budget / 4)?;

        let unreadable = [train.unreadable, val.unreadable].concat();
        report_unreadable(&unreadable, found, source.max_unreadable, control)?;
        for (label, class) in classes.iter().enumerate() {
            if !train.set.files().iter().any(|file| file.label == label) {
                return Err(
                    Failure::permanent(format!("no training image of class {class:?} can be read")).into()
                );
            }
        }
        if val.set.files().is_empty() {
            return Err(Failure::permanent("no image that is held out for validation can be read").into());
        }
        let digest = digest(&train.set, &val.set);
        Ok(Self { classes, train: train.set, val: val.set, unreadable: unreadable.len(), digest })
    }
}

fn failure(error: FolderError) -> Failure {
    match error {
        FolderError::List { path, error } => {
            Failure::transient(format!("data: cannot list {}: {error}", path.display()))
        }
        wrong => Failure::permanent(format!("data: {wrong}")),
    }
}

fn report_unreadable(
    unreadable: &[Unreadable],
    found: usize,
    tolerated: f64,
    control: &mut dyn Control,
) -> Result<(), Failure> {
    if unreadable.is_empty() {
        return Ok(());
    }
    let share = unreadable.len() as f64 / found as f64;
    let count = format!("{} of {found} images cannot be read", unreadable.len());
    let which = by_reason(unreadable);
    if tolerated < share {
        return Err(Failure::permanent(format!(
            "{count}; that is {:.1} %, and max_unreadable tolerates {:.1} %: {which}",
            share * 100.0,
            tolerated * 100.0
        )));
    }
    control.note(format!("{count} and are passed over: {which}"));
    Ok(())
}

/// The first unreadable images by name, those together that have the same reason.
fn by_reason(unreadable: &[Unreadable]) -> String {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for image in unreadable.iter().take(NAMED) {
        names.entry(&image.reason).or_default().push(&image.name);
    }
    let groups = names.into_iter().map(|(reason, names)| format!("{} ({reason})", names.join(", ")));
    let more = unreadable.len().saturating_sub(NAMED);
    groups.chain((0 < more).then(|| format!("and {more} more"))).collect::<Vec<_>>().join("; ")
}

fn digest(train: &ImageSet, val: &ImageSet) -> String {
    let mut hasher = blake3::Hasher::new();
    for set in [train, val] {
        for file in set.files() {
            hasher.update(file.name.as_bytes());
            hasher.update(b"\0");
            hasher.update(&file.bytes.to_le_bytes());
        }
        hasher.update(b"\0");
    }
    hasher.finalize().to_hex().to_string()
}
