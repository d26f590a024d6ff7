//! A folder.

use anyhow::ensure;
use checkpoints::{History, HistoryError, ObjectStore, StoreError};
use contract::{Timestamp, checkpoints::Manifest};
use tempfile::TempDir;

use crate::behaviour::{self, commit_of, job, upload};

fn open(folder: &TempDir) -> anyhow::Result<ObjectStore> {
    let root = folder.path().join("store");
    Ok(ObjectStore::open(&root.display().to_string(), &folder.path().join("scratch"))?)
}

#[tokio::test]
async fn a_checkpoint_lives() -> anyhow::Result<()> {
    behaviour::a_checkpoint_lives(&open(&TempDir::new()?)?).await
}

#[tokio::test]
async fn a_large_file_comes_back() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    behaviour::a_large_file_comes_back(&open(&folder)?, folder.path()).await
}

#[tokio::test]
async fn artifacts_are_kept() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    behaviour::artifacts_are_kept(&open(&folder)?, folder.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_once_follow_each_other() -> anyhow::Result<()> {
    behaviour::attempts_at_once_follow_each_other(&open(&TempDir::new()?)?).await
}

#[tokio::test]
async fn what_is_not_kept_goes() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    behaviour::what_is_not_kept_goes(&open(&folder)?).await?;
    let log = folder.path().join("store/jobs/a/log");
    ensure!(std::fs::read_dir(log)?.count() <= 18, "the log is trimmed, too");
    Ok(())
}

#[tokio::test]
async fn a_staged_file_is_where_it_will_stay_and_goes_when_it_is_given_up() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let store = open(&folder)?;
    let staged = store.stage(&job("a"), 3, 70).await?;
    ensure!(staged.key.starts_with("jobs/a/data/t3-s70-") && staged.key.ends_with(".safetensors"));
    let path = staged.path.clone();
    assert_eq!(store.local_path(&staged.key).as_ref(), Some(&path));
    std::fs::write(&path, "half")?;
    drop(staged);
    ensure!(!path.exists(), "a write that failed leaves nothing");

    let never_written = store.stage(&job("a"), 3, 70).await?;
    ensure!(matches!(store.upload(never_written).await, Err(StoreError::Io { .. })));
    Ok(())
}

#[tokio::test]
async fn damage_is_named() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let store = open(&folder)?;
    let uploaded = upload(&store, 1, 10, b"0123456789").await?;
    let history = History::of(store.clone(), job("a"));
    history.open(1).await?;
    let manifest = history.commit(&commit_of(&uploaded, 1, 10)).await?;
    let path = store.fetch(&manifest).await?;

    for (content, expected) in [
        (Some("0123"), "it is truncated, with 4 bytes where 10 were committed"),
        (Some("0123456789a"), "it has grown, with 11 bytes where 10 were committed"),
        (Some("0123456788"), "its BLAKE3 hash is"),
        (None, "the file is missing"),
    ] {
        match content {
            Some(content) => std::fs::write(&path, content)?,
            None => std::fs::remove_file(&path)?,
        }
        let told = store.verify(&manifest).await.unwrap_err().to_string();
        ensure!(told.contains(expected) && told.contains(&manifest.key), "{told}");
        let fetched = store.fetch(&manifest).await;
        ensure!(matches!(fetched, Err(StoreError::Damaged { .. })), "{fetched:?}");
        let (latest, damaged) = history.open(1).await?;
        assert_eq!((latest, damaged), (None, vec![told]));
    }
    Ok(())
}

#[tokio::test]
async fn retention_never_takes_the_last_one_that_is_there() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let store = open(&folder)?;
    let history = History::of(store.clone(), job("a"));
    history.open(1).await?;
    for step in 1..=4 {
        let uploaded = upload(&store, 1, step, b"state of a step").await?;
        history.commit(&commit_of(&uploaded, 1, step)).await?;
        if 2 < step {
            std::fs::write(store.local_path(&uploaded.key).expect("a folder"), b"cut")?;
        }
    }
    history.prune(1).await?;
    let left: Vec<_> = history.list(false).await?.iter().map(|listed| listed.manifest.step).collect();
    assert_eq!(left, [4, 2]);
    assert_eq!(history.open(2).await?.0.map(|latest| latest.step), Some(2));
    Ok(())
}

#[tokio::test]
async fn an_entry_that_is_damaged_stops_the_history_and_is_named() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let history = History::of(open(&folder)?, job("a"));
    history.open(1).await?;
    let entry = folder.path().join("store/jobs/a/log/0000000002.json");
    for (content, expected) in [
        ("{\"format\": 1", "no entry of a history"),
        (
            r#"{ "format": 2, "change": "none", "at": 0, "newest_token": 1, "checkpoints": [], "leaving": [] }"#,
            "form 2 is newer than 1",
        ),
    ] {
        std::fs::write(&entry, content)?;
        let told = history.open(2).await.unwrap_err().to_string();
        ensure!(told.contains("jobs/a/log/0000000002.json") && told.contains(expected), "{told}");
    }
    std::fs::remove_file(&entry)?;
    assert_eq!(history.open(2).await?, (None, Vec::new()));
    Ok(())
}

#[tokio::test]
async fn only_the_first_attempt_may_leave_the_opening_to_its_first_commit() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let store = open(&folder)?;
    let history = History::of(store.clone(), job("a"));

    let second = upload(&store, 2, 20, b"of the second").await?;
    let refused = history.commit(&commit_of(&second, 2, 20)).await;
    ensure!(matches!(refused, Err(HistoryError::NotOpened { token: 2, .. })), "{refused:?}");

    let first = upload(&store, 1, 10, b"of the first").await?;
    let committed = history.commit(&commit_of(&first, 1, 10)).await?;
    assert_eq!(history.open(2).await?, (Some(committed), Vec::new()));

    let late = upload(&store, 1, 11, b"of the first again").await?;
    let refused = history.commit(&commit_of(&late, 1, 11)).await;
    ensure!(matches!(refused, Err(HistoryError::Fenced { token: 1, newest: 2, .. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_the_jobs_own_is_refused() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let store = open(&folder)?;
    let history = History::of(store.clone(), job("b"));
    history.open(1).await?;
    let uploaded = upload(&store, 1, 1, b"of a").await?;
    for key in [uploaded.key.clone(), "jobs/b/data/../../a".into(), "jobs/b/log/0000000001.json".into()] {
        let mut commit = commit_of(&uploaded, 1, 1);
        (commit.job_id, commit.key) = (job("b"), key);
        let refused = history.commit(&commit).await;
        ensure!(matches!(refused, Err(HistoryError::Foreign { .. })), "{refused:?}");
    }
    let manifest = Manifest {
        job_id: job("a"),
        token: 1,
        step: 1,
        role: Default::default(),
        key: "../../etc/passwd".into(),
        bytes: 1,
        blake3: String::new(),
        metrics: Default::default(),
        committed_at: Timestamp(0),
    };
    ensure!(store.verify(&manifest).await.is_err());
    assert_eq!(store.local_path(&manifest.key), None);
    Ok(())
}

#[test]
fn a_url_that_cannot_be_opened_is_told_what_could() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "")?;
    for (url, expected) in [
        ("", "it is empty; give a folder or s3://bucket/prefix"),
        ("gs://bucket", "gs stores are not built in; give a folder or s3://bucket/prefix"),
        ("s3://", "no bucket"),
        ("http//x://", "relative URL"),
    ] {
        let told = ObjectStore::open(url, folder.path()).unwrap_err().to_string();
        ensure!(told.contains(expected), "{url}: {told}");
    }
    let told = ObjectStore::open(&file.display().to_string(), folder.path()).unwrap_err();
    ensure!(told.to_string().contains("cannot make the folder"), "{told}");
    ObjectStore::open(&format!("file://{}", folder.path().join("made").display()), folder.path())?;
    ensure!(folder.path().join("made").is_dir());
    Ok(())
}

#[tokio::test]
async fn a_job_is_removed() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    behaviour::a_job_is_removed(&open(&folder)?, folder.path()).await?;
    assert!(!folder.path().join("store/jobs/a/data").exists());
    Ok(())
}
