//! A folder that outlives a test that fails.

use std::path::Path;

use tempfile::TempDir;

/// A test's own folder: removed when the test is done, kept, with its path printed, when it fails.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: Option<TempDir>,
    /// Whether it stays although nothing panics.
    kept: bool,
}

impl Folder {
    /// A new folder for the test of that name.
    pub(crate) fn create(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("rekindle-{name}-")).tempdir();
        Self { folder: Some(folder.expect("there is room for a folder")), kept: false }
    }

    /// Has it stay, to be looked into.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.as_ref().expect("it is there until it is dropped").path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take().filter(|_| self.kept || std::thread::panicking()) {
            eprintln!("logs and files are kept in {}", folder.keep().display());
        }
    }
}
