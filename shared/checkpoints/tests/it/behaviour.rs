//! What holds for every store. `store` is empty and all the test's own.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, ensure};
use checkpoints::{History, HistoryError, ObjectStore, StoreError, Uploaded};
use contract::{
    JobId,
    checkpoints::{CheckpointRole, CommitCheckpoint, Manifest},
};
use tokio::task::JoinSet;

pub(crate) fn job(name: &str) -> JobId {
    JobId::new(name).expect("a job id")
}

/// Writes and uploads `content` as a trainer does.
pub(crate) async fn upload(
    store: &ObjectStore,
    token: u32,
    step: u64,
    content: &[u8],
) -> anyhow::Result<Uploaded> {
    let staged = store.stage(&job("a"), token, step).await?;
    tokio::fs::write(&staged.path, content).await?;
    Ok(store.upload(staged).await?)
}

pub(crate) fn commit_of(uploaded: &Uploaded, token: u32, step: u64) -> CommitCheckpoint {
    let Uploaded { key, bytes, blake3 } = uploaded.clone();
    let (role, metrics) = (CheckpointRole::Periodic, BTreeMap::new());
    CommitCheckpoint { job_id: job("a"), token, step, role, key, bytes, blake3, metrics }
}

async fn save(store: &ObjectStore, token: u32, step: u64, content: &[u8]) -> anyhow::Result<Manifest> {
    let uploaded = upload(store, token, step, content).await?;
    Ok(History::of(store.clone(), job("a")).commit(&commit_of(&uploaded, token, step)).await?)
}

async fn steps(store: &ObjectStore) -> anyhow::Result<Vec<u64>> {
    let list = History::of(store.clone(), job("a")).list(true).await?;
    ensure!(list.iter().all(|listed| listed.damage.is_none()), "{list:?}");
    Ok(list.iter().map(|listed| listed.manifest.step).collect())
}

/// Written, committed, found, brought back, and passed on from attempt to attempt.
pub(crate) async fn a_checkpoint_lives(store: &ObjectStore) -> anyhow::Result<()> {
    let history = History::of(store.clone(), job("a"));
    assert_eq!(steps(store).await?, [] as [u64; 0]);
    assert_eq!(history.open(1).await?, (None, Vec::new()));
    let first = save(store, 1, 10, b"ten").await?;
    let second = save(store, 1, 20, b"twenty").await?;

    assert_eq!(history.open(2).await?, (Some(second.clone()), Vec::new()));
    assert_eq!(std::fs::read(store.fetch(&second).await?)?, b"twenty");
    assert_eq!(store.fetch(&first).await?, store.fetch(&first).await?, "fetched once, it is here");

    let fenced = save(store, 1, 30, b"thirty").await.unwrap_err();
    let fenced = fenced.downcast::<HistoryError>()?;
    ensure!(matches!(fenced, HistoryError::Fenced { token: 1, newest: 2, .. }), "{fenced}");
    ensure!(matches!(history.open(1).await, Err(HistoryError::Fenced { .. })));
    assert_eq!(steps(store).await?, [20, 10]);
    assert_eq!(store.jobs().await?, [job("a")]);
    Ok(())
}

/// A file that is longer than one part of an upload comes back byte for byte.
pub(crate) async fn a_large_file_comes_back(store: &ObjectStore, scratch: &Path) -> anyhow::Result<()> {
    let content: Vec<u8> = (0..20_u32 << 18).flat_map(u32::to_le_bytes).collect();
    History::of(store.clone(), job("a")).open(1).await?;
    let manifest = save(store, 1, 1, &content).await?;
    assert_eq!(
        (manifest.bytes, manifest.blake3.as_str()),
        (20 << 20, blake3::hash(&content).to_hex().as_str())
    );
    ensure!(std::fs::read(store.fetch(&manifest).await?)? == content, "fetched");

    let copy = scratch.join("copy.safetensors");
    store.download(&manifest.key, &copy).await?;
    ensure!(std::fs::read(&copy)? == content, "downloaded");

    let wrong = Manifest { blake3: blake3::hash(b"").to_string(), ..manifest };
    let damaged = store.fetch(&wrong).await.unwrap_err();
    ensure!(matches!(&damaged, StoreError::Damaged { problem, .. } if problem.contains("hash")), "{damaged}");
    Ok(())
}

/// Artifacts replace each other, and a name cannot lead out of the job's folder.
pub(crate) async fn artifacts_are_kept(store: &ObjectStore, scratch: &Path) -> anyhow::Result<()> {
    let (file, copy) = (scratch.join("curves.png"), scratch.join("copy.png"));
    for content in ["first", "second"] {
        std::fs::write(&file, content)?;
        let artifact = store.put_artifact(&job("a"), "curves.png", &file).await?;
        assert_eq!(
            (artifact.key.as_str(), artifact.bytes),
            ("jobs/a/artifacts/curves.png", content.len() as u64)
        );
        store.download(&artifact.key, &copy).await?;
        assert_eq!(std::fs::read_to_string(&copy)?, content);
    }
    ensure!(store.put_artifact(&job("a"), "../data/x", &file).await.is_err(), "that is no name");
    ensure!(
        store.put_artifact(&job("a"), "gone", &scratch.join("gone")).await.is_err(),
        "there is no such file"
    );

    let missing = scratch.join("missing");
    ensure!(store.download("jobs/a/artifacts/none", &missing).await.is_err(), "there is no such object");
    ensure!(!missing.exists(), "and nothing is left of it");
    Ok(())
}

/// Many attempts at once: the history is that of attempts that followed each other.
pub(crate) async fn attempts_at_once_follow_each_other(store: &ObjectStore) -> anyhow::Result<()> {
    const ATTEMPTS: u32 = 6;
    let mut attempts = JoinSet::new();
    for token in 1..=ATTEMPTS {
        let store = store.clone();
        attempts.spawn(async move {
            match History::of(store.clone(), job("a")).open(token).await {
                Err(HistoryError::Fenced { .. }) => return Ok(()),
                opened => opened?,
            };
            for step in 1..=3 {
                let saved = save(&store, token, step, format!("{token} {step}").as_bytes()).await;
                match saved.map_err(anyhow::Error::downcast::<HistoryError>) {
                    Err(Ok(HistoryError::Fenced { .. })) => return Ok(()),
                    Err(Err(error)) => return Err(error),
                    saved => saved.map_err(|error| error.map_or_else(|error| error, Into::into))?,
                };
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = attempts.join_next().await {
        ended??;
    }
    let list = History::of(store.clone(), job("a")).list(true).await?;
    let tokens: Vec<_> = list.iter().map(|listed| listed.manifest.token).collect();
    ensure!(tokens.is_sorted_by(|newer, older| older <= newer), "{tokens:?}");
    let newest = list.first().context("the last attempt is fenced by nobody")?;
    assert_eq!((newest.manifest.token, newest.manifest.step), (ATTEMPTS, 3));
    Ok(())
}

/// Retention removes what is old; the sweep what nobody committed; what is named stays.
pub(crate) async fn what_is_not_kept_goes(store: &ObjectStore) -> anyhow::Result<()> {
    let history = History::of(store.clone(), job("a"));
    history.open(1).await?;
    for step in 1..=20 {
        save(store, 1, step, b"state").await?;
        history.prune(2).await?;
    }
    assert_eq!(steps(store).await?, [20, 19]);
    let abandoned = upload(store, 1, 21, b"abandoned").await?;
    assert_eq!(history.sweep(Duration::from_hours(1)).await?, 0, "it is young");
    assert_eq!(steps(store).await?, [20, 19]);

    // A file is as old as its store says, to the second.
    let mut swept = 0;
    for _ in 0..50 {
        swept += history.sweep(Duration::ZERO).await?;
        if swept != 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(swept, 1);
    let late = history.commit(&commit_of(&abandoned, 1, 21)).await;
    ensure!(matches!(late, Err(HistoryError::Store(StoreError::Damaged { .. }))), "{late:?}");
    assert_eq!(steps(store).await?, [20, 19]);
    assert_eq!(history.open(2).await?.0.context("it is whole")?.step, 20);
    Ok(())
}

/// Everything of a job goes, unless it goes on; a new job of its name begins at nothing.
pub(crate) async fn a_job_is_removed(store: &ObjectStore, scratch: &Path) -> anyhow::Result<()> {
    let history = History::of(store.clone(), job("a"));
    let nothing = history.remove(0).await?;
    assert_eq!((nothing.objects, nothing.bytes), (0, 0));

    save(store, 1, 10, b"ten").await?;
    history.open(2).await?;
    save(store, 2, 20, b"twenty").await?;
    let file = scratch.join("curves.png");
    std::fs::write(&file, "picture")?;
    store.put_artifact(&job("a"), "curves.png", &file).await?;
    History::of(store.clone(), job("ab")).open(1).await?;

    let fenced = history.remove(1).await.unwrap_err();
    ensure!(matches!(fenced, HistoryError::Fenced { token: 1, newest: 2, .. }), "{fenced}");
    assert_eq!(steps(store).await?, [20, 10], "nothing is touched");

    let removed = history.remove(2).await?;
    ensure!(3 < removed.objects && 16 < removed.bytes, "{removed:?}");
    assert_eq!(store.jobs().await?, [job("ab")], "the other one stays");
    assert_eq!(history.open(1).await?, (None, Vec::new()));
    Ok(())
}
