//! A folder as a store: what it takes for bytes to outlive a power cut.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Waits until a file's bytes are on the disk.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Waits until the names in `folder`, and in every folder above it up to `root`, are on the disk.
pub(crate) fn sync_names(root: &Path, folder: &Path) -> io::Result<()> {
    for folder in folder.ancestors().take_while(|folder| folder.starts_with(root)) {
        match File::open(folder) {
            Ok(folder) => folder.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes a folder with everything in it; one that is not there is removed already.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the files of `folder` that `is_litter` by their name and were last written before `age` ago.
pub(crate) fn clear(folder: &Path, age: Duration, is_litter: fn(&str) -> bool) -> io::Result<()> {
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for file in files {
        let file = file?;
        let old = file.metadata()?.modified()? + age < SystemTime::now();
        if old && file.file_name().to_str().is_some_and(is_litter) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}
