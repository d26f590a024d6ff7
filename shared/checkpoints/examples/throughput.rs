//! How fast a checkpoint goes through a store: `throughput STORE MIB`, where STORE is a folder or an s3:// URL.

use std::{path::PathBuf, time::Instant};

use anyhow::Context;
use checkpoints::{History, ObjectStore};
use contract::{JobId, checkpoints::CommitCheckpoint};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("usage: throughput STORE MIB")?;
    let mib: u64 = arguments.next().context("usage: throughput STORE MIB")?.parse()?;
    let scratch = std::env::temp_dir().join("rekindle-throughput");
    let store = ObjectStore::open(&url, &scratch)?;
    let job_id = JobId::generate();
    let history = History::of(store.clone(), job_id.clone());
    history.open(1).await?;

    let told = |what: &str, since: Instant| {
        let seconds = since.elapsed().as_secs_f64();
        println!("{what:<8} {seconds:>8.3} s {:>8.0} MiB/s", mib as f64 / seconds);
    };
    let staged = store.stage(&job_id, 1, 1).await?;
    let begun = Instant::now();
    write(staged.path.clone(), mib).await?;
    told("write", begun);

    let begun = Instant::now();
    let uploaded = store.upload(staged).await?;
    told("upload", begun);

    let begun = Instant::now();
    let commit = CommitCheckpoint {
        job_id,
        token: 1,
        step: 1,
        role: Default::default(),
        key: uploaded.key,
        bytes: uploaded.bytes,
        blake3: uploaded.blake3,
        metrics: Default::default(),
    };
    let manifest = history.commit(&commit).await?;
    told("commit", begun);

    let begun = Instant::now();
    store.fetch(&manifest).await?;
    told("fetch", begun);
    Ok(())
}

/// Writes a file as a trainer does: no byte of it is on the disk for sure.
async fn write(path: PathBuf, mib: u64) -> anyhow::Result<()> {
    let written = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::create(path)?;
        let block: Vec<u8> = (0..1 << 18_u32).flat_map(u32::to_le_bytes).collect();
        (0..mib).try_for_each(|_| std::io::Write::write_all(&mut file, &block))
    });
    Ok(written.await??)
}
