//! Images ready to be put into batches: decoded and kept in memory while they fit, decoded again for each batch else.

use std::fs;

use rayon::prelude::*;

use super::{
    decode::{Fit, Picture, decode},
    folder::ImageFile,
};

/// How many images are decoded between two looks at the world outside.
const CHUNK: usize = 512;

/// Images that can all be read.
#[derive(Debug)]
pub struct ImageSet {
    files: Vec<ImageFile>,
    /// Absent when they take more memory than there is for them.
    pictures: Option<Vec<Picture>>,
    fit: Fit,
}

/// An image that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its class and file.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// What came of reading images.
#[derive(Debug)]
pub struct Loaded {
    /// Those that can be read.
    pub set: ImageSet,
    /// Those that cannot.
    pub unreadable: Vec<Unreadable>,
}

impl ImageSet {
    /// Reads every file once, keeps at most `budget` bytes of pixels, and calls `meanwhile` now and then.
    ///
    /// # Errors
    /// What `meanwhile` returns ends the reading.
    pub fn load<E>(
        files: Vec<ImageFile>,
        fit: Fit,
        budget: u64,
        mut meanwhile: impl FnMut() -> Result<(), E>,
    ) -> Result<Loaded, E> {
        let mut readable = Vec::with_capacity(files.len());
        let mut unreadable = Vec::new();
        let mut pictures = Some(Vec::new());
        let mut kept_bytes = 0;
        for chunk in files.chunks(CHUNK) {
            meanwhile()?;
            let decoded: Vec<_> = chunk.par_iter().map(|file| read(file, fit)).collect();
            for (file, picture) in chunk.iter().zip(decoded) {
                match picture {
                    Err(reason) => unreadable.push(Unreadable { name: file.name.clone(), reason }),
                    Ok(picture) => {
                        readable.push(file.clone());
                        kept_bytes += picture.rgb.len() as u64;
                        if budget < kept_bytes {
                            pictures = None;
                        }
                        if let Some(pictures) = &mut pictures {
                            pictures.push(picture);
                        }
                    }
                }
            }
        }
        Ok(Loaded { set: Self { files: readable, pictures, fit }, unreadable })
    }

    /// The files, in the order of their indices.
    pub fn files(&self) -> &[ImageFile] {
        &self.files
    }

    /// Whether the pixels are kept in memory.
    pub fn is_in_memory(&self) -> bool {
        self.pictures.is_some()
    }

    /// Lets `show` see one image.
    ///
    /// # Errors
    /// When it must be read again and cannot.
    pub(crate) fn with<T>(&self, index: usize, show: impl FnOnce(&Picture) -> T) -> Result<T, Unreadable> {
        if let Some(pictures) = &self.pictures {
            return Ok(show(&pictures[index]));
        }
        let file = &self.files[index];
        match read(file, self.fit) {
            Ok(picture) => Ok(show(&picture)),
            Err(reason) => Err(Unreadable { name: file.name.clone(), reason }),
        }
    }
}

fn read(file: &ImageFile, fit: Fit) -> Result<Picture, String> {
    let bytes = fs::read(&file.path).map_err(|error| error.to_string())?;
    decode(&bytes, fit)
}
