//! One system a data folder.

use std::{
    fs::{File, TryLockError},
    io::{Read, Write},
    path::Path,
};

use anyhow::{Context, bail};

/// Held by the one `up` of a data folder. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock of the folder, which is created if need be.
    pub(crate) fn take(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the data folder {}", folder.display()))?;
        let path = folder.join("up.lock");
        let cannot = || format!("cannot use the lock file {}", path.display());
        let options = File::options().read(true).write(true).create(true).truncate(false).clone();
        let mut file = options.open(&path).with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).with_context(cannot)?;
                bail!(
                    "a system runs in {} already (process {}); stop it first, or set data.dir to another folder",
                    folder.display(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).with_context(cannot)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_system_in_one_folder_is_refused_by_the_first_ones_process() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = DataLock::take(&data).unwrap();
        let refused = DataLock::take(&data).unwrap_err().to_string();
        assert!(refused.contains(&format!("already (process {})", std::process::id())), "{refused}");
        drop(first);
        DataLock::take(&data).unwrap();
    }
}
