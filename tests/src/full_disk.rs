//! A disk that is full.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// A small disk of its own, mounted over a folder.
#[derive(Debug)]
pub struct FullDisk {
    folder: PathBuf,
}

impl FullDisk {
    /// Mounts one, or says `None` where that is not allowed.
    pub fn over(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).expect("a test's folder can be filled");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self { folder: folder.into() })
    }

    /// Leaves no room.
    pub fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("an empty disk takes a file");
        let full = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("the filler is there");
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        // Lazily, because a program may still hold a file on it.
        if let Err(error) = Command::new("umount").arg("--lazy").arg(&self.folder).status() {
            eprintln!("cannot unmount {}: {error}", self.folder.display());
        }
    }
}
