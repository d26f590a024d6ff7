//! A folder that outlives a test that fails.

use std::path::Path;

use tempfile::TempDir;

/// A test's own folder: removed when the test is done, kept, with its path printed, when it fails.
#[derive(Debug)]
pub(crate) struct Folder(Option<TempDir>);

impl Folder {
    /// A new folder for the test of that name.
    pub(crate) fn create(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("rekindle-{name}-")).tempdir();
        Self(Some(folder.expect("there is room for a folder")))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until it is dropped").path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take().filter(|_| std::thread::panicking()) {
            eprintln!("logs and files are kept in {}", folder.keep().display());
        }
    }
}
