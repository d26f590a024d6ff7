//! A control group of the test's own, in which the kernel kills what takes too much memory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A group with a limit. Dropping it takes it away, once nothing is in it any more.
#[derive(Debug)]
pub struct MemoryGroup {
    folder: PathBuf,
}

impl MemoryGroup {
    /// Makes a group that may hold so much.
    ///
    /// # Errors
    /// Why none can be made here.
    pub fn create(name: &str, limit_mib: u64) -> Result<Self, String> {
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let (above, limit) = above(&groups).ok_or("no control group counts this process's memory")?;
        let group = Self { folder: above.join(format!("rekindle-{name}-{}", std::process::id())) };
        let made = fs::create_dir(&group.folder)
            .and_then(|()| group.set(limit, &(limit_mib << 20).to_string()))
            .and_then(|()| group.forbid_swap(limit_mib));
        match made {
            Ok(()) => Ok(group),
            Err(error) => Err(format!("{} cannot be made and limited: {error}", group.folder.display())),
        }
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), value)
    }

    /// Where swap is counted.
    fn forbid_swap(&self, limit_mib: u64) -> io::Result<()> {
        let bytes = (limit_mib << 20).to_string();
        for (file, value) in [("memory.memsw.limit_in_bytes", bytes.as_str()), ("memory.swap.max", "0")] {
            if self.folder.join(file).exists() {
                self.set(file, value)?;
            }
        }
        Ok(())
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // It was not made, or a test that failed has left a process behind.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The test's own group and the name of its limit, in version 1 or 2.
fn above(groups: &str) -> Option<(PathBuf, &'static str)> {
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (top, limit, count) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.events"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"),
            _ => return None,
        };
        let folders = [Path::new(top).join(path), top.into()];
        let found = folders.into_iter().find(|folder| folder.join(count).exists())?;
        Some((found, limit))
    };
    groups.lines().find_map(group)
}
