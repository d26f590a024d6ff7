//! Folders of images, one folder a class: found, decoded, changed at random, put into batches.

mod augment;
mod batches;
mod decode;
mod folder;
mod set;

pub use augment::Augment;
pub use batches::{Batch, BatchError, CHANNEL_MEAN, CHANNEL_STD, Scale, TrainBatches, ValBatches};
pub use decode::{Fit, Picture, decode};
pub use folder::{FolderError, ImageFile, ImageFolder};
pub use set::{ImageSet, Loaded, Unreadable};
