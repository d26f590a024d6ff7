//! What ends a node when nobody is left who would.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context;

/// Kills the process group `$2` once the lock `$1` has been free for `$3` looks in a row, one a second, and ends when
/// the group is gone. It holds the lock while it kills, so that nobody starts to use a node that is about to go.
const SCRIPT: &str = r#"
free=0
while kill -0 "-$2" 2>/dev/null; do
    sleep 1
    if flock --nonblock "$1" true; then free=$((free + 1)); else free=0; fi
    if [ "$free" -ge "$3" ]; then
        flock --nonblock "$1" sh -c 'kill -KILL "-$0"' "$2" && exit
        free=0
    fi
done
"#;

/// Starts a watchdog outside the process group of the test, so that it outlives a test that is killed.
pub(super) fn start(lock: &Path, process_group: i32, idle_seconds: u32) -> anyhow::Result<()> {
    Command::new("sh")
        .args(["-c", SCRIPT, "watchdog"])
        .arg(lock)
        .args([process_group.to_string(), idle_seconds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot start a watchdog for the test broker")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::process::ExitStatusExt};

    use super::*;
    use crate::{process::is_running, testing::eventually};

    #[tokio::test]
    async fn what_nobody_holds_any_more_is_killed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let lock = folder.path().join("users.lock");
        let user = File::create(&lock)?;
        user.lock_shared()?;
        let mut group = Command::new("sh").args(["-c", "sleep 600; true"]).process_group(0).spawn()?;
        start(&lock, i32::try_from(group.id())?, 2)?;

        // Somebody else may come and go without harm.
        let other = File::open(&lock)?;
        other.lock_shared()?;
        drop(other);
        assert!(is_running(&mut group));

        drop(user);
        eventually("the group is killed", async || !is_running(&mut group)).await?;
        assert_eq!(group.wait()?.signal(), Some(nix::libc::SIGKILL));
        Ok(())
    }
}
