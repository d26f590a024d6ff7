//! What a checkpoint costs a run, beside `torch.save` of the same tensors.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use checkpoints::{History, ObjectStore};
use classifier_trainer::{ResNet, ResNetConfig};
use contract::{
    JobId,
    checkpoints::CommitCheckpoint,
    classifier::{Arch, Stem},
};
use tch::{Device, Tensor};
use torch::{AdamW, AdamWOptions, Precision, write_tensors};

use crate::{
    figures::{Times, milliseconds},
    pytorch,
    report::Table,
};

const ROUNDS: usize = 15;

/// What one checkpoint took.
struct Taken {
    pause: Duration,
    written: Duration,
    committed: Duration,
}

pub(crate) async fn measure() -> anyhow::Result<Table> {
    let folder = std::env::temp_dir().join(format!("rekindle-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).context("there is no room for checkpoints")?;
    let measured = compare(&folder).await;
    fs::remove_dir_all(&folder).context("what was measured cannot be removed")?;
    measured
}

async fn compare(folder: &Path) -> anyhow::Result<Table> {
    let tensors = state();
    let store = ObjectStore::open(&folder.join("store").display().to_string(), &folder.join("scratch"))?;
    let job = JobId::generate();
    let history = History::of(store.clone(), job.clone());
    history.open(1).await?;
    let mut taken = Vec::with_capacity(ROUNDS);
    let mut bytes = 0;
    for step in 1..=ROUNDS as u64 {
        let (one, size) = checkpoint(&tensors, &store, &history, (&job, step)).await?;
        history.prune(1).await?;
        taken.push(one);
        bytes = size;
    }
    let times = |time: fn(&Taken) -> Duration| Times::new(taken.iter().map(time).collect());

    let file = folder.join("checkpoint").display().to_string();
    let theirs = pytorch::run("checkpoint.py", &[file, ROUNDS.to_string()])?;
    let their_bytes = theirs["bytes"].as_u64().context("the script told no size")?;
    let saved = Times::new(pytorch::seconds(&theirs, "save_seconds")?);
    let synced = Times::new(pytorch::seconds(&theirs, "synced_seconds")?);

    let mut table = Table::new(&["ResNet-18 with AdamW's state", "Rekindle", "torch.save", "ratio"]);
    let mut row = |what: &str, ours: Duration, theirs: Duration, sizes: Option<(u64, u64)>| {
        let rate =
            |bytes: u64, time: Duration| format!("{:.0} MB/s", bytes as f64 / 1e6 / time.as_secs_f64());
        let (left, right) = match sizes {
            None => (milliseconds(ours), milliseconds(theirs)),
            Some((ours_bytes, theirs_bytes)) => (rate(ours_bytes, ours), rate(theirs_bytes, theirs)),
        };
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        table.row(&[&what, &left, &right, &format!("{ratio:.1}×")]);
    };
    row("training stands still for", times(|one| one.pause).median(), saved.median(), None);
    let sizes = Some((bytes, their_bytes));
    row("the file is written at", times(|one| one.written).median(), saved.median(), sizes);
    row(
        "on the disk for sure (Rekindle: hashed, verified and committed too) at",
        times(|one| one.committed).median(),
        synced.median(),
        sizes,
    );
    Ok(table)
}

/// What a classifier's checkpoint holds, at the size of ImageNet's 1,000 classes.
fn state() -> BTreeMap<String, Tensor> {
    let config = ResNetConfig {
        arch: Arch::Resnet18,
        stem: Stem::Imagenet,
        classes: 1000,
        precision: Precision::Fp32,
    };
    let model = ResNet::new(config, Device::Cpu, 0);
    let optimizer = AdamW::new(model.parameters(), AdamWOptions::default());
    let moments = optimizer.state().map(|(name, tensor)| (name, tensor.shallow_clone()));
    model.tensors().into_iter().chain(moments).collect()
}

async fn checkpoint(
    tensors: &BTreeMap<String, Tensor>,
    store: &ObjectStore,
    history: &History,
    (job, step): (&JobId, u64),
) -> anyhow::Result<(Taken, u64)> {
    let began = Instant::now();
    let copied: BTreeMap<String, Tensor> =
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.detach().copy())).collect();
    let pause = began.elapsed();

    let began = Instant::now();
    let staged = store.stage(job, 1, step).await?;
    write_tensors(&staged.path, &copied, "{}")?;
    let written = began.elapsed();
    let uploaded = store.upload(staged).await?;
    let commit = CommitCheckpoint {
        job_id: job.clone(),
        token: 1,
        step,
        role: Default::default(),
        key: uploaded.key,
        bytes: uploaded.bytes,
        blake3: uploaded.blake3,
        metrics: BTreeMap::new(),
    };
    history.commit(&commit).await?;
    Ok((Taken { pause, written, committed: began.elapsed() }, uploaded.bytes))
}
