//! Many attempts, several checkpoint-stores and the sweep on one history, in every order that a test can think of.

mod stepping;

use std::{
    collections::HashSet,
    future::Future,
    path::Path,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use contract::{
    JobId, Timestamp,
    checkpoints::{CheckpointRole, CommitCheckpoint, Manifest},
};
use object_store::ObjectStoreExt;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::History;
use crate::{HistoryError, ObjectStore, StoreError, log::Entry};
use stepping::Stepping;

/// How many files each attempt has uploaded before anything else happens.
const FILES: usize = 4;
const TOKENS: u32 = 4;

/// Something a process does with the history.
#[derive(Debug, Clone)]
enum Act {
    Open { token: u32 },
    Commit { token: u32, file: usize },
    Prune { keep_last: u32 },
    Sweep,
    Trim,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Opened(u32),
    Committed(String),
    Fenced { token: u32, newest: u32 },
    Refused,
    Tidied,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1..=TOKENS).prop_map(|token| Act::Open { token }),
        6 => (1..=TOKENS, 0..FILES).prop_map(|(token, file)| Act::Commit { token, file }),
        2 => (0..3_u32).prop_map(|keep_last| Act::Prune { keep_last }),
        1 => Just(Act::Sweep),
        2 => Just(Act::Trim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_overtaken_attempt_never_adds_to_the_history(
        processes in vec(vec(act(), 1..6), 2..5),
        turns in vec(any::<Index>(), 0..400),
    ) {
        let world = World::new();
        let outcomes = world.play(&processes, turns);
        world.check(&outcomes)?;
    }
}

/// Stops a commit after each of its operations in turn, lets others do all of theirs, and lets it go on.
#[test]
fn a_commit_that_is_held_up_names_no_file_that_was_removed_meanwhile() {
    let (commit, open) = (|file| Act::Commit { token: 1, file }, |token| Act::Open { token });
    let others = [
        vec![Act::Sweep],
        // The second removal forgets the first, whose files are gone by then.
        vec![Act::Sweep, Act::Prune { keep_last: 0 }],
        vec![Act::Sweep, Act::Prune { keep_last: 0 }, Act::Trim],
        vec![open(2), Act::Trim],
        vec![open(2), open(3), Act::Sweep, Act::Trim],
    ];
    for (others, steps) in others.iter().flat_map(|others| (0..40).map(move |steps| (others, steps))) {
        let world = World::new();
        let mut outcomes = world.play(&[vec![open(1), commit(0), commit(1)]], Vec::new());
        let held_up = commit(2);
        let mut held_up = pin!(world.perform(&held_up));
        let mut context = Context::from_waker(Waker::noop());
        let early = (0..steps).find_map(|_| match held_up.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        });
        outcomes.extend(world.play(std::slice::from_ref(others), Vec::new()));
        outcomes.push(early.unwrap_or_else(|| drive(held_up)));
        world.check(&outcomes).unwrap_or_else(|error| panic!("{others:?} after {steps}: {error}"));
    }
}

/// One job's store, with every attempt's files in it.
struct World {
    objects: Arc<Stepping>,
    store: ObjectStore,
    job: JobId,
}

impl World {
    fn new() -> Self {
        let objects = Arc::new(Stepping::default());
        let store = ObjectStore::remote(objects.clone(), Path::new("/nonexistent"));
        let world = Self { objects, store, job: JobId::new("j").unwrap() };
        for token in 1..=TOKENS {
            for file in 0..FILES {
                let commit = world.commit_of(token, file);
                let location = commit.key.as_str().into();
                drive(world.objects.memory.put(&location, content(token, file).into())).unwrap();
            }
        }
        // The sweep takes only what is older than now.
        let uploaded = Timestamp::now();
        while Timestamp::now() <= uploaded {
            std::hint::spin_loop();
        }
        world
    }

    fn commit_of(&self, token: u32, file: usize) -> CommitCheckpoint {
        let content = content(token, file);
        CommitCheckpoint {
            job_id: self.job.clone(),
            token,
            // Two files share each step.
            step: file as u64 / 2,
            role: if file.is_multiple_of(2) { CheckpointRole::Periodic } else { CheckpointRole::Best },
            key: format!("jobs/j/data/t{token}-{file}.safetensors"),
            bytes: content.len() as u64,
            blake3: blake3::hash(&content).to_string(),
            metrics: [("loss".into(), 0.5)].into(),
        }
    }

    async fn perform(&self, act: &Act) -> Outcome {
        let history = History::of(self.store.clone(), self.job.clone());
        let result = match act {
            Act::Open { token } => history.open(*token).await.map(|_| Outcome::Opened(*token)),
            Act::Commit { token, file } => {
                history.commit(&self.commit_of(*token, *file)).await.map(|it| Outcome::Committed(it.key))
            }
            Act::Prune { keep_last } => tidied(history.prune(*keep_last).await),
            Act::Sweep => tidied(history.sweep(Duration::ZERO).await.map(|_| ())),
            Act::Trim => tidied(history.log.trim(1).await),
        };
        match result {
            Ok(outcome) => outcome,
            Err(HistoryError::Fenced { token, newest, .. }) => Outcome::Fenced { token, newest },
            Err(HistoryError::Store(StoreError::Damaged { problem, .. })) => {
                // Only a file that was swept before its commit is ever missed.
                assert!(problem.contains("missing") || problem.contains("given up"), "{problem}");
                Outcome::Refused
            }
            Err(HistoryError::NotOpened { .. } | HistoryError::Late { .. }) => Outcome::Refused,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Lets the processes go on one operation at a time, in the order of `turns`, and then each to its end.
    fn play(&self, processes: &[Vec<Act>], turns: Vec<Index>) -> Vec<Outcome> {
        let outcomes = Mutex::new(Vec::new());
        let mut running: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
        for acts in processes {
            let outcomes = &outcomes;
            running.push(Box::pin(async move {
                for act in acts {
                    let outcome = self.perform(act).await;
                    outcomes.lock().unwrap().push(outcome);
                }
            }));
        }
        let mut context = Context::from_waker(Waker::noop());
        for turn in turns {
            if running.is_empty() {
                break;
            }
            let at = turn.index(running.len());
            if running[at].as_mut().poll(&mut context).is_ready() {
                drop(running.remove(at));
            }
        }
        running.into_iter().for_each(drive);
        outcomes.into_inner().unwrap()
    }

    fn check(&self, outcomes: &[Outcome]) -> Result<(), TestCaseError> {
        let heads = self.objects.heads();
        let mut ever = HashSet::new();
        let mut before: (u32, &[Manifest]) = (0, &[]);
        for (at, (number, head)) in heads.iter().enumerate() {
            prop_assert_eq!(*number, at as u64 + 1, "no number is skipped or used twice");
            prop_assert!(before.0 <= head.newest_token, "tokens only grow");
            for manifest in head.checkpoints.iter().filter(|manifest| !before.1.contains(manifest)) {
                prop_assert_eq!(manifest.token, head.newest_token, "only the newest attempt commits");
                prop_assert!(ever.insert(manifest.key.clone()), "{} was committed twice", manifest.key);
            }
            before = (head.newest_token, &head.checkpoints);
        }
        for outcome in outcomes {
            match outcome {
                Outcome::Opened(token) => {
                    prop_assert!(heads.iter().any(|(_, head)| head.newest_token == *token))
                }
                Outcome::Committed(key) => prop_assert!(ever.contains(key)),
                Outcome::Fenced { token, newest } => {
                    prop_assert!(
                        token < newest && heads.iter().any(|(_, head)| head.newest_token == *newest)
                    );
                }
                Outcome::Refused | Outcome::Tidied => {}
            }
        }
        self.check_bytes(heads.last().map(|(_, head)| head))
    }

    /// What the history names is there, in full.
    fn check_bytes(&self, head: Option<&Entry>) -> Result<(), TestCaseError> {
        for manifest in head.into_iter().flat_map(|head| &head.checkpoints) {
            let verified = drive(self.store.verify(manifest));
            prop_assert!(verified.is_ok(), "{verified:?}");
        }
        Ok(())
    }
}

/// Polls a future until it is ready; the store never waits for anything.
fn drive<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
}

fn content(token: u32, file: usize) -> Vec<u8> {
    format!("the state of attempt {token} in file {file}").into_bytes()
}

fn tidied(result: Result<(), StoreError>) -> Result<Outcome, HistoryError> {
    Ok(result.map(|()| Outcome::Tidied)?)
}
