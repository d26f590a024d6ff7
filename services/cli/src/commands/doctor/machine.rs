//! What this machine has: programs, folders, room.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use settings::Settings;
use tokio::process::Command;

use super::check::Check;
use crate::{commands::up::find_gpus, text::size};

/// Less room than this ends runs soon.
const SCARCE: u64 = 5_000_000_000;
/// Less room than this ends them now.
const NO_ROOM: u64 = 500_000_000;
/// What is linked to libtorch.
const TRAINERS: [&str; 2] = ["classifier-trainer", "dit-trainer"];

pub(crate) async fn check(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![data_folder(&settings.data.dir)];
    checks.extend(settings.data.roots.iter().map(|root| data_root(root)));
    checks.push(checkpoint_store(&settings.checkpoints.url));
    checks.extend(room(&settings.data.dir));
    checks.push(rabbitmq(settings));
    checks.push(libtorch().await);
    checks.push(gpus().await);
    checks
}

fn data_folder(folder: &Path) -> Check {
    match write_into(folder) {
        Ok(()) => Check::ok("data folder", format!("{} can be written", folder.display())),
        Err(error) => Check::fail(
            "data folder",
            format!("{} cannot be written: {error}", folder.display()),
            "set data.dir to a folder that this user may write to",
        ),
    }
}

fn data_root(root: &Path) -> Check {
    match std::fs::read_dir(root) {
        Ok(_) => Check::ok("data root", format!("{} can be read", root.display())),
        Err(error) => Check::warn(
            "data root",
            format!("{} cannot be read: {error}", root.display()),
            "create it and put images there, or set data.roots; trainers read nothing outside",
        ),
    }
}

fn checkpoint_store(url: &str) -> Check {
    if url.contains("://") {
        return Check::ok("checkpoint folder", format!("{url} is not on this machine; the services tell"));
    }
    match write_into(Path::new(url)) {
        Ok(()) => Check::ok("checkpoint folder", format!("{url} can be written")),
        Err(error) => Check::fail(
            "checkpoint folder",
            format!("{url} cannot be written: {error}"),
            "set checkpoints.url to a folder that this user may write to, or to a bucket",
        ),
    }
}

/// Creates the folder if need be, and a file that is gone again afterwards.
fn write_into(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}

fn room(folder: &Path) -> Option<Check> {
    // A folder that cannot be looked at has been told of already.
    let disk = statvfs(folder).ok()?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let found = format!("{} free for {}", size(free), folder.display());
    let advice = "make room, or lower checkpoints.keep_last; runs fail when no checkpoint can be written";
    Some(if free < NO_ROOM {
        Check::fail("disk", found, advice)
    } else if free < SCARCE {
        Check::warn("disk", found, advice)
    } else {
        Check::ok("disk", found)
    })
}

fn rabbitmq(settings: &Settings) -> Check {
    if settings.broker.url.is_some() {
        return Check::ok("rabbitmq-server", "not needed here: broker.url is set");
    }
    match on_path("rabbitmq-server") {
        Some(path) => Check::ok("rabbitmq-server", path.display().to_string()),
        None => Check::warn(
            "rabbitmq-server",
            "not found",
            "install RabbitMQ (apt install rabbitmq-server) for `rekindle up`, or set broker.url",
        ),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether the trainers beside this program would find the libraries that they are linked to.
async fn libtorch() -> Check {
    let here = std::env::current_exe().ok();
    let folder = here.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
    let trainers: Vec<&str> = TRAINERS.into_iter().filter(|trainer| folder.join(trainer).is_file()).collect();
    if trainers.is_empty() {
        return Check::warn(
            "libtorch",
            format!("neither {} lies beside this program", TRAINERS.join(" nor ")),
            "build them for machines that train: cargo build --release",
        );
    }
    for trainer in &trainers {
        let listed = match Command::new("ldd").arg(folder.join(trainer)).output().await {
            Ok(listed) => String::from_utf8_lossy(&listed.stdout).into_owned(),
            Err(error) => {
                return Check::warn("libtorch", format!("cannot run ldd: {error}"), "install it to see");
            }
        };
        let missing = missing_libraries(&listed);
        if !missing.is_empty() {
            return Check::fail(
                "libtorch",
                format!("{trainer} does not find {}", missing.join(", ")),
                "run `make setup`, or add libtorch's folder to LD_LIBRARY_PATH",
            );
        }
    }
    Check::ok("libtorch", format!("found by {}", trainers.join(" and ")))
}

/// The libraries that `ldd` says are not found.
fn missing_libraries(listed: &str) -> Vec<&str> {
    listed.lines().filter_map(|line| line.trim().strip_suffix(" => not found")).collect()
}

async fn gpus() -> Check {
    let gpus = find_gpus().await;
    if gpus.is_empty() {
        return Check::warn("gpu", "none found", "trainers of this machine run on the CPU, which is slow");
    }
    let names: Vec<&str> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
    Check::ok("gpu", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::Verdict;

    #[test]
    fn folders_are_tried_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let fresh = folder.path().join("a/b");
        assert_eq!(data_folder(&fresh).verdict, Verdict::Ok);
        assert_eq!(std::fs::read_dir(&fresh).unwrap().count(), 0, "nothing is left behind");

        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(data_folder(&file).verdict, Verdict::Fail);
        assert_eq!(checkpoint_store(file.to_str().unwrap()).verdict, Verdict::Fail);
        assert_eq!(checkpoint_store("s3://bucket/runs").verdict, Verdict::Ok);
        assert_eq!(data_root(&folder.path().join("missing")).verdict, Verdict::Warn);
    }

    #[test]
    fn missing_libraries_are_named() {
        let listed =
            "\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibtorch.so => not found\n\tlibc10.so => not found\n";
        assert_eq!(missing_libraries(listed), ["libtorch.so", "libc10.so"]);
        assert!(missing_libraries("\tnot a dynamic executable\n").is_empty());
    }
}
