//! The control group of this process, where the kernel counts and limits its memory; and one of its own below that,
//! where it may make one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// A group that counts memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ControlGroup {
    folder: PathBuf,
    version: Version,
}

/// How many processes of a group the kernel had killed for memory at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kills {
    pub(crate) group: PathBuf,
    pub(crate) count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A group that this process has made and is alone in. Dropping it takes the process back and the group away; a process
/// that is killed leaves it, and what it has counted, to the next one of its name.
#[derive(Debug)]
pub(crate) struct OwnGroup {
    own: ControlGroup,
    above: ControlGroup,
    /// Whether nobody below `above` was limited before.
    has_delegated: bool,
}

impl ControlGroup {
    /// The group that this process is in; `None` where the kernel shows none.
    pub(crate) fn of_this_process() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        candidates(&groups).into_iter().find(|group| group.kills().is_some())
    }

    /// How many processes of this group the kernel has killed for memory.
    pub(crate) fn kills(&self) -> Option<Kills> {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let count = count_in(&fs::read_to_string(self.folder.join(file)).ok()?)?;
        Some(Kills { group: self.folder.clone(), count })
    }

    /// Moves this process into a group of its own below this one, which may hold `bytes` and nothing in swap.
    ///
    /// # Errors
    /// When this process may not, or when others in this group stand in the way, as they do with groups of version 2. Then
    /// all is as before.
    pub(crate) fn enclose(&self, name: &str, bytes: u64) -> io::Result<OwnGroup> {
        let own = Self { folder: self.folder.join(name), version: self.version };
        if let Err(error) = fs::create_dir(&own.folder)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        // Undone when it is dropped.
        let mut group = OwnGroup { own, above: self.clone(), has_delegated: false };
        group.own.enter()?;
        if self.version == Version::Two && !group.own.folder.join("memory.max").exists() {
            self.write("cgroup.subtree_control", "+memory")?;
            group.has_delegated = true;
        }
        group.own.limit(bytes)?;
        Ok(group)
    }

    fn limit(&self, bytes: u64) -> io::Result<()> {
        let bytes = bytes.to_string();
        // Where swap is not counted these files are missing, and where there is none they do not matter.
        match self.version {
            Version::One => {
                // Memory must never be given more than memory and swap together, so that comes off first.
                let _ = self.write("memory.memsw.limit_in_bytes", "-1");
                self.write("memory.limit_in_bytes", &bytes)?;
                let _ = self.write("memory.memsw.limit_in_bytes", &bytes);
            }
            Version::Two => {
                self.write("memory.max", &bytes)?;
                let _ = self.write("memory.swap.max", "0");
            }
        }
        Ok(())
    }

    /// Moves this process here.
    fn enter(&self) -> io::Result<()> {
        self.write("cgroup.procs", "0")
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), text)
    }
}

impl Kills {
    /// Whether there were more of them in the same group at a later moment.
    pub(crate) fn grew_to(&self, later: &Self) -> bool {
        self.group == later.group && self.count < later.count
    }
}

impl OwnGroup {
    /// The group.
    pub(crate) fn group(&self) -> &ControlGroup {
        &self.own
    }

    /// Where it lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.own.folder
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        // A group that limits those below it holds no processes.
        let ready =
            if self.has_delegated { self.above.write("cgroup.subtree_control", "-memory") } else { Ok(()) };
        let left = ready.and_then(|()| self.above.enter()).and_then(|()| fs::remove_dir(self.folder()));
        if let Err(error) = left {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                group = %self.folder().display(),
                "the process's own control group stays"
            );
        }
    }
}

/// What the process's group may be, best first: by its path, or at the top, where a container sees its own.
fn candidates(groups: &str) -> Vec<ControlGroup> {
    let mut candidates = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let path = path.trim_start_matches('/');
        let (top, version) = match controllers {
            "" => ("/sys/fs/cgroup", Version::Two),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", Version::One)
            }
            _ => continue,
        };
        let folders = [Path::new(top).join(path), PathBuf::from(top)];
        candidates.extend(folders.map(|folder| ControlGroup { folder, version }));
    }
    candidates
}

/// Reads the line `oom_kill 3`.
fn count_in(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_in_either_version() {
        let v2 = candidates("0::/system.slice/rekindle.service\n");
        let shown: Vec<_> = v2.iter().map(|group| group.folder.to_str().unwrap()).collect();
        assert_eq!(shown, ["/sys/fs/cgroup/system.slice/rekindle.service", "/sys/fs/cgroup"]);
        let v1 = candidates("5:cpu,cpuacct:/\n4:memory:/docker/af3\n");
        assert_eq!(v1[0].folder.to_str().unwrap(), "/sys/fs/cgroup/memory/docker/af3");
        assert!(v1.iter().all(|group| group.version == Version::One));
    }

    #[test]
    fn kills_are_counted_in_either_version() {
        assert_eq!(count_in("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 0\n"), Some(3));
        assert_eq!(count_in("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Some(5));
        assert_eq!(count_in("oom_kill_disable 0\n"), None);
    }

    #[test]
    fn a_process_goes_into_a_group_of_its_own_and_comes_back() {
        let Some(above) = ControlGroup::of_this_process() else {
            println!("skipped: no control group counts this process's memory");
            return;
        };
        let name = format!("rekindle-test-{}", std::process::id());
        let own = match above.enclose(&name, 8 << 30) {
            Ok(own) => own,
            Err(error) => {
                println!("skipped: no group can be made in {}: {error}", above.folder.display());
                assert_eq!(ControlGroup::of_this_process(), Some(above.clone()));
                assert!(!above.folder.join(name).exists());
                return;
            }
        };
        assert_eq!(ControlGroup::of_this_process().as_ref(), Some(own.group()));
        assert_eq!(own.group().kills().map(|kills| kills.count), Some(0));
        // The next life of the same name, with another limit.
        own.group().limit(9 << 30).unwrap();
        own.group().limit(7 << 30).unwrap();
        let folder = own.folder().to_owned();
        drop(own);
        assert_eq!(ControlGroup::of_this_process(), Some(above));
        assert!(!folder.exists());
    }
}
