//! A disk without room: nothing is lost, nothing is promised.

use std::process::Stdio;

use anyhow::{Context, ensure};
use contract::control::JobState;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{ChildStderr, Command},
    time::timeout,
};

use crate::world::{PATIENCE, World, job, submission};

/// More than fits into the files that the program may write.
const JOBS: usize = 400;
/// Half a mebibyte, in the shell's blocks of 512 or 1024 bytes, and what is done when it is full.
const WITHOUT_ROOM: &str = "trap '' XFSZ; ulimit -S -f 1000; exec \"$@\"";

#[tokio::test]
async fn everything_waits_until_there_is_room() -> anyhow::Result<()> {
    let world = World::new().await?;
    let words = ["sh", "-c", WITHOUT_ROOM, "sh", env!("CARGO_BIN_EXE_scheduler")];
    let mut scheduler = world.program(&words).stderr(Stdio::piped()).spawn()?;
    let mut log = BufReader::new(scheduler.stderr.take().context("it is piped")?).lines();
    for n in 0..JOBS {
        let mut submission = submission(&format!("job-{n}"));
        submission.labels.insert("padding".into(), "x".repeat(4_000));
        world.publish(&submission).await?;
    }
    says(&mut log, "cannot write the database").await?;

    let pid = scheduler.id().context("it runs")?.to_string();
    let raised = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().await?;
    ensure!(raised.success(), "prlimit makes room");
    says(&mut log, "the database can be written again").await?;
    for n in 0..JOBS {
        world.reached(&job(&format!("job-{n}")), JobState::Queued).await?;
    }
    Ok(())
}

/// Reads the log until it says something.
async fn says(log: &mut Lines<BufReader<ChildStderr>>, words: &str) -> anyhow::Result<()> {
    let said = async {
        while let Some(line) = log.next_line().await? {
            if line.contains(words) {
                return Ok(());
            }
        }
        anyhow::bail!("the scheduler ended before it said {words:?}")
    };
    timeout(PATIENCE, said).await.with_context(|| format!("it should say {words:?}"))?
}
