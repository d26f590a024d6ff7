//! The database, closed and opened again.

mod spending;
mod sweeps;

use std::path::{Path, PathBuf};

use contract::{
    FailureClass, JobId,
    control::{GetHistory, JobState, ListJobs},
};
use tempfile::TempDir;

use super::*;
use crate::core::tests::{
    rules,
    scene::{START, Scene},
};

/// A database in a folder of its own.
struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("deep/scheduler.db");
        Self { _folder: folder, path }
    }

    async fn open(&self) -> Store {
        Store::open(&self.path).await.unwrap()
    }
}

fn id(name: &str) -> JobId {
    name.parse().unwrap()
}

/// Jobs in every state.
fn scene() -> Scene {
    let mut scene = Scene::new(rules());
    scene.play(&[
        "hello w1 t4",
        "submit queued resources.gpu=[\"h100\"] owner=ann",
        "submit dead",
        "claim w1 dead.1",
        "ended w1 dead.1@7 permanent",
        "submit cancelled",
        "cancel cancelled",
        "submit succeeded",
        "claim w1 succeeded.1",
        "ended w1 succeeded.1 ok",
        "submit running total.usd=0.1",
        "claim w1 running.1",
        "beat w1 running.1@3",
        "submit backing",
        "claim w1 backing.1",
        "ended w1 backing.1 transient",
        "submit offered",
    ]);
    scene
}

const NAMES: [&str; 7] = ["queued", "dead", "cancelled", "succeeded", "running", "backing", "offered"];

fn row(scene: &Scene, name: &str) -> JobRow {
    JobRow::from(scene.core.job(&id(name)).unwrap())
}

fn letter(id: i64) -> Letter {
    Letter {
        id,
        exchange: "rekindle.work".into(),
        routing_key: format!("work.{id}"),
        body: vec![0, 255],
        message_id: Some("a.1".into()),
        traceparent: None,
        due: Timestamp(START.0 + 10),
    }
}

async fn commit(store: &Store, changes: Changes) {
    store.commit(Arc::new(changes)).await.unwrap();
}

#[tokio::test]
async fn opened_again_it_holds_what_was_in_memory() {
    let (file, scene) = (File::new(), scene());
    let worker = scene.core.worker(&"w1".parse().unwrap()).unwrap().clone();
    let body = serde_json::to_string(&worker).unwrap();
    let changes = Changes {
        jobs: NAMES.iter().map(|name| row(&scene, name)).collect(),
        workers: vec![(worker.hello.worker.clone(), body)],
        ..Changes::default()
    };
    commit(&file.open().await, changes).await;

    let store = file.open().await;
    let saved = store.load().await.unwrap();
    let live: Vec<&str> = saved.jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(live, ["queued", "running", "backing", "offered"], "in the order of their submission");
    assert_eq!(saved.workers, [worker]);
    let succeeded: Vec<&str> = saved.succeeded.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(succeeded, ["succeeded"], "to learn from");
    let ids = [&NAMES[..], &["unknown"]].concat().into_iter().map(id).collect();
    let all = store.recall(ids).await.unwrap().jobs;
    assert_eq!(all.len(), NAMES.len());
    assert!(all.iter().all(|job| scene.core.job(&job.id) == Some(job)));
}

#[tokio::test]
async fn a_message_stays_until_the_broker_has_it() {
    let file = File::new();
    let store = file.open().await;
    let letters = vec![letter(1), letter(2), letter(3)];
    commit(&store, Changes { letters: letters.clone(), ..Changes::default() }).await;
    // Nothing was sent, or nobody knows.
    let store = file.open().await;
    assert_eq!(store.load().await.unwrap().letters, letters);

    commit(&store, Changes { sent: vec![1, 3], ..Changes::default() }).await;
    assert_eq!(file.open().await.load().await.unwrap().letters, [letter(2)]);
}

#[tokio::test]
async fn a_batch_that_is_written_again_changes_nothing_but_its_history() {
    let (file, scene) = (File::new(), scene());
    let store = file.open().await;
    let changes =
        Arc::new(Changes { jobs: vec![row(&scene, "dead")], letters: vec![letter(1)], ..Changes::default() });
    store.commit(changes.clone()).await.unwrap();
    store.commit(changes).await.unwrap();
    assert_eq!(store.load().await.unwrap().letters.len(), 1);
    assert_eq!(store.list(ListJobs::default()).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn jobs_are_listed_newest_first() {
    let (file, scene) = (File::new(), scene());
    let store = file.open().await;
    let jobs = NAMES.iter().map(|name| row(&scene, name)).collect();
    commit(&store, Changes { jobs, ..Changes::default() }).await;

    let list = async |query: ListJobs| {
        let (jobs, more) = store.list(query).await.unwrap();
        let names: Vec<String> = jobs.iter().map(|job| job.id.to_string()).collect();
        (names.join(" "), more)
    };
    let all = "offered backing running succeeded cancelled dead queued";
    assert_eq!(list(ListJobs::default()).await, (all.into(), false));
    let first = ListJobs { limit: 3, ..ListJobs::default() };
    assert_eq!(list(first).await, ("offered backing running".into(), true));
    let next = ListJobs { limit: 4, before: Some(id("running")), ..ListJobs::default() };
    assert_eq!(list(next).await, ("succeeded cancelled dead queued".into(), false));
    let ended = ListJobs { states: vec![JobState::Dead, JobState::Cancelled], ..ListJobs::default() };
    assert_eq!(list(ended).await, ("cancelled dead".into(), false));
    let permanent = ListJobs { failures: vec![FailureClass::Permanent], ..ListJobs::default() };
    assert_eq!(list(permanent).await, ("dead".into(), false));
    let lost = ListJobs { failures: vec![FailureClass::Lost, FailureClass::Oom], ..ListJobs::default() };
    assert_eq!(list(lost).await, (String::new(), false));
    let anns = ListJobs { owner: Some("ann".into()), ..ListJobs::default() };
    assert_eq!(list(anns).await, ("queued".into(), false));
    let others = ListJobs { workload: Some("dit".parse().unwrap()), ..ListJobs::default() };
    assert_eq!(list(others).await, (String::new(), false));
}

#[tokio::test]
async fn an_older_file_learns_how_its_jobs_failed() {
    let (file, scene) = (File::new(), scene());
    let store = file.open().await;
    let jobs = NAMES.iter().map(|name| row(&scene, name)).collect();
    commit(&store, Changes { jobs, ..Changes::default() }).await;
    drop(store);
    let before = "DROP INDEX jobs_by_failure; ALTER TABLE jobs DROP COLUMN failure; PRAGMA user_version = 4;";
    Connection::open(&file.path).unwrap().execute_batch(before).unwrap();

    let permanent = ListJobs { failures: vec![FailureClass::Permanent], ..ListJobs::default() };
    let (jobs, _) = file.open().await.list(permanent).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["dead"]);
}

#[tokio::test]
async fn a_long_history_comes_in_pages_and_ends_somewhere() {
    let (file, scene) = (File::new(), scene());
    let store = file.open().await;
    let note = |n: u64| Entry {
        job_id: id("dead"),
        at: Timestamp(n),
        event: serde_json::json!({ "kind": "attempt.note", "note": "x".repeat(200), "n": n }).to_string(),
    };
    let history = (1..=2_500).map(note).collect();
    commit(&store, Changes { jobs: vec![row(&scene, "dead")], history, ..Changes::default() }).await;

    let mut read = Vec::new();
    loop {
        let after = read.last().map_or(0, |entry: &contract::control::HistoryEntry| entry.seq);
        let page = store.history(GetHistory { job_id: id("dead"), after }).await.unwrap().unwrap();
        assert!(contract::encode(&page).len() <= contract::MAX_MESSAGE_BYTES);
        read.extend(page.entries);
        if !page.more {
            break;
        }
    }
    let seqs: Vec<u64> = read.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (501..=2_500).collect::<Vec<u64>>(), "the last 2,000, in order");
    assert_eq!(read[0].event["n"], 501);
    assert_eq!(store.history(GetHistory { job_id: id("unknown"), after: 0 }).await.unwrap(), None);
}

#[tokio::test]
async fn a_removed_job_is_gone_with_its_history_and_its_name_stays_taken() {
    let (file, scene) = (File::new(), scene());
    let store = file.open().await;
    let entry = Entry { job_id: id("dead"), at: Timestamp(1), event: "{}".into() };
    let changes = Changes { jobs: vec![row(&scene, "dead")], history: vec![entry], ..Changes::default() };
    commit(&store, changes).await;
    let removal = Arc::new(Changes { removed: vec![id("dead")], ..Changes::default() });
    store.commit(removal.clone()).await.unwrap();
    store.commit(removal).await.unwrap();

    assert_eq!(store.list(ListJobs::default()).await.unwrap().0.len(), 0);
    assert_eq!(store.history(GetHistory { job_id: id("dead"), after: 0 }).await.unwrap(), None);
    let recalled = store.recall(vec![id("dead"), id("unknown")]).await.unwrap();
    assert_eq!((recalled.jobs, recalled.removed), (vec![], vec![id("dead")]));
}

#[tokio::test]
async fn a_database_of_a_later_release_is_left_alone() {
    let file = File::new();
    drop(file.open().await);
    let connection = Connection::open(&file.path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&file.path).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database has schema 99, and this release knows 5; upgrade it, or restore a backup"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let error = Store::open(Path::new("/proc/nowhere/scheduler.db")).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot make the folder of the database /proc/nowhere/scheduler.db");
}
