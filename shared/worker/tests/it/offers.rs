//! Taking offers: claim, then acknowledge; and never holding what cannot be run.

use std::{
    sync::{
        Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use broker::Outgoing;
use contract::{
    Workload,
    events::{AttemptEnd, AttemptEnded, AttemptMetrics, AttemptStarted, RunResult},
    lease::OfferAttempt,
    names,
};
use local_broker::testing::eventually;
use worker::{Control, Exit, Run, RunError, Trainer};

use crate::{
    counterpart::{Script, generous_grant},
    trainers::{Scripted, train_until_stopped, train_until_told},
    world::{QUEUE, World, job},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_run_is_told_from_its_start_to_its_end() {
    let world = World::new().await;
    let worker = world.start(Scripted(|run: &Run, control: &mut dyn Control| {
        control.metrics(3, [("loss".into(), 0.5), ("bad".into(), f64::NAN)].into());
        let picture = run.folder.join("curves.png");
        std::fs::write(&picture, "a picture").unwrap();
        control.artifact("curves.png", &picture)?;
        Ok(RunResult { metrics: [("accuracy".into(), 0.9)].into(), ..RunResult::default() })
    }));
    let job = job("told");
    world.offer(&job, 1).await;

    let ended = world.ended(&job, 1).await;
    let AttemptEnd::Succeeded(result) = ended.end else { panic!("{:?}", ended.end) };
    assert_eq!(result.metrics, [("accuracy".into(), 0.9)].into());
    assert_eq!(result.artifacts.len(), 1);
    let kept = world.store.local_path(&result.artifacts[0].key).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "a picture");

    let started = &world.events::<AttemptStarted>()[0];
    assert_eq!((started.attempt, started.resumed_from_step), (1, 0));
    let metrics = &world.events::<AttemptMetrics>()[0];
    assert_eq!((metrics.step, &metrics.metrics), (3, &[("loss".into(), 0.5)].into()));
    let lines = std::fs::read_to_string(world.run_folder(&job).join("metrics.jsonl")).unwrap();
    assert_eq!(lines, "{\"attempt\":1,\"step\":3,\"metrics\":{\"loss\":0.5}}\n");

    assert_eq!(worker.stop().await, Exit::Stopped);
    let script = world.counterpart.script();
    let hello = &script.hellos[0];
    assert_eq!((hello.gpu.as_str(), hello.slots), ("cpu", 1));
    assert_eq!(script.goodbyes.len(), 1);
    assert_eq!(script.goodbyes[0].incarnation, hello.incarnation);
    assert!(script.claims.iter().all(|claim| !claim.redelivered));
}

/// Tells when it is asked to warm up.
struct Warming(mpsc::SyncSender<()>);

impl Trainer for Warming {
    fn workload(&self) -> Workload {
        Workload::new("classifier").unwrap()
    }

    fn warm_up(&self) {
        self.0.send(()).unwrap();
        panic!("a trainer that cannot warm up can still be asked to run");
    }

    fn run(&self, _: &Run, _: &mut dyn Control) -> Result<RunResult, RunError> {
        Ok(RunResult::default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_nothing_to_do_warms_up_and_runs_what_comes_then() {
    let world = World::new().await;
    let (warm, warmed) = mpsc::sync_channel(1);
    let worker = world.start(Warming(warm));
    tokio::task::spawn_blocking(move || warmed.recv_timeout(Duration::from_secs(30))).await.unwrap().unwrap();
    let job = job("warm");
    world.offer(&job, 1).await;
    assert!(matches!(world.ended(&job, 1).await.end, AttemptEnd::Succeeded(_)));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_or_cannot_be_read_leaves_the_queue_and_runs_nothing() {
    let world = World::with(Script::default()).await;
    let worker = world.start(Scripted(|_: &Run, _: &mut dyn Control| panic!("nothing was granted")));
    let mut unreadable =
        Outgoing::new(names::WORK_EXCHANGE, QUEUE, &OfferAttempt { job_id: job("unreadable"), attempt: 1 });
    unreadable.body = b"{\"kind\":\"attempt.offer\",\"version\":1}".to_vec();
    world.broker.publish(unreadable).await.unwrap();
    world.offer(&job("refused"), 1).await;

    let mut dead = world.broker.consume(names::DEAD_LETTERS, 1).await.unwrap();
    let letter = dead.next().await.unwrap();
    let reason = letter.reason.clone().unwrap_or_default();
    assert!(reason.contains("job_id"), "{reason}");
    world.heard("the claim", |script| script.claims.len() == 1).await;
    worker.stop().await;
    world.nothing_left_to_do().await;
    assert!(world.events::<AttemptEnded>().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_claim_nobody_answers_is_not_lost() {
    let world = World::new().await;
    world.counterpart.script().silent = true;
    let first = world.start(Scripted(train_until_stopped));
    let job = job("unanswered");
    world.offer(&job, 1).await;
    world.heard("the first claim", |script| !script.claims.is_empty()).await;
    assert_eq!(first.stop().await, Exit::Stopped);
    assert!(world.events::<AttemptStarted>().is_empty());

    world.counterpart.script().silent = false;
    let second = world.start(Scripted(|_: &Run, _: &mut dyn Control| Ok(RunResult::default())));
    world.ended(&job, 1).await;
    assert!(world.counterpart.script().claims.last().unwrap().redelivered);
    second.stop().await;
}

/// The scheduler may have granted what it was asked for and died before it said so.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_is_lost_is_made_again() {
    let world = World::new().await;
    world.counterpart.script().silent = true;
    let worker = world.start(Scripted(|_: &Run, _: &mut dyn Control| Ok(RunResult::default())));
    let job = job("asked-twice");
    world.offer(&job, 1).await;
    world.heard("the first claim", |script| !script.claims.is_empty()).await;

    world.counterpart.script().silent = false;
    world.ended(&job, 1).await;
    let claims = world.counterpart.script().claims.clone();
    assert!(2 <= claims.len() && claims.iter().all(|claim| *claim == claims[0]), "{claims:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_worker_leaves_the_next_offer_to_others() {
    let world = World::new().await;
    let busy = world.start(Scripted(train_until_stopped));
    world.offer(&job("long"), 1).await;
    world.event(|_: &AttemptStarted| true).await;

    world.offer(&job("next"), 1).await;
    let free = world.start(Scripted(|_: &Run, _: &mut dyn Control| Ok(RunResult::default())));
    let ended = world.ended(&job("next"), 1).await;
    let hellos: Vec<_> = world.counterpart.script().hellos.iter().map(|hello| hello.worker.clone()).collect();
    assert_eq!(hellos.len(), 2);
    assert_ne!(hellos[0], hellos[1], "two workers of one machine have two names");
    assert_eq!(ended.worker, hellos[1]);
    free.stop().await;
    busy.stop().await;
}

/// Each of the two runs ends only if it has met the other one.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_share_the_process_of_a_worker_with_two_slots() {
    let world = World::new().await;
    let (here, arrived) = (Mutex::new(0), Condvar::new());
    let meet = Scripted(move |_: &Run, _: &mut dyn Control| {
        let mut count = here.lock().unwrap();
        *count += 1;
        arrived.notify_all();
        let alone = |count: &mut i32| *count < 2;
        let (_met, waited) = arrived.wait_timeout_while(count, Duration::from_secs(30), alone).unwrap();
        assert!(!waited.timed_out(), "nobody else runs in this process");
        Ok(RunResult::default())
    });
    let worker = world.start_with(meet, &[("REKINDLE__WORKLOADS__CLASSIFIER__SLOTS", "2")]);
    let jobs = [job("one"), job("other")];
    for job in &jobs {
        world.offer(job, 1).await;
    }
    for job in &jobs {
        let ended = world.ended(job, 1).await;
        assert!(matches!(ended.end, AttemptEnd::Succeeded(_)), "{:?}", ended.end);
    }
    let hellos = world.counterpart.script().hellos.clone();
    assert_eq!((hellos.len(), hellos[0].slots), (1, 2));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_was_busy_takes_offers_again() {
    let world = World::new().await;
    let (enough, told) = mpsc::channel();
    let told = Mutex::new(told);
    let worker = world.start(Scripted(move |run: &Run, control: &mut dyn Control| {
        train_until_told(run, control, &told.lock().unwrap());
        Ok(RunResult::default())
    }));
    for name in ["first", "second"] {
        world.offer(&job(name), 1).await;
        world.event(|started: &AttemptStarted| started.job_id == job(name)).await;
        world.nothing_left_to_do().await;
        enough.send(()).unwrap();
        world.ended(&job(name), 1).await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_comes_again_is_run_once() {
    let world = World::new().await;
    let (enough, told) = mpsc::channel();
    let told = Mutex::new(told);
    let trainer = Scripted(move |run: &Run, control: &mut dyn Control| {
        train_until_told(run, control, &told.lock().unwrap());
        Ok(RunResult::default())
    });
    let worker = world.start_with(trainer, &[("REKINDLE__WORKLOADS__CLASSIFIER__SLOTS", "2")]);
    let job = job("again");
    world.offer(&job, 1).await;
    world.event(|_: &AttemptStarted| true).await;
    world.offer(&job, 1).await;
    world.heard("a second claim", |script| script.claims.len() == 2).await;
    enough.send(()).unwrap();
    world.ended(&job, 1).await;
    world.offer(&job, 1).await;
    world.heard("a third claim", |script| script.claims.len() == 3).await;

    worker.stop().await;
    world.nothing_left_to_do().await;
    assert_eq!(world.events::<AttemptStarted>().len(), 1);
    assert_eq!(world.events::<AttemptEnded>().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_short_runs_end_once_each() {
    const RUNS: usize = 400;
    let world = World::new().await;
    let offers = (0..RUNS).map(|number| {
        let offer = OfferAttempt { job_id: job(&format!("short-{number}")), attempt: 1 };
        Outgoing::new(names::WORK_EXCHANGE, QUEUE, &offer)
    });
    world.broker.publish_all(offers.collect()).await.into_iter().for_each(|sent| sent.unwrap());

    static RUN: AtomicU32 = AtomicU32::new(0);
    let began = tokio::time::Instant::now();
    let trainer = Scripted(|_: &Run, _: &mut dyn Control| {
        RUN.fetch_add(1, Ordering::Relaxed);
        Ok(RunResult::default())
    });
    let worker = world.start_with(trainer, &[("REKINDLE__WORKLOADS__CLASSIFIER__SLOTS", "16")]);
    eventually("all have ended", async || world.count::<AttemptEnded>() == RUNS).await.unwrap();
    println!("{:.0} runs a second", RUNS as f64 / began.elapsed().as_secs_f64());
    assert_eq!(RUN.load(Ordering::Relaxed), RUNS as u32);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_drains_takes_nothing_until_it_is_told_otherwise() {
    let world = World::with(Script { draining: true, ..Script::default() }).await;
    let worker = world.start(Scripted(|_: &Run, _: &mut dyn Control| Ok(RunResult::default())));
    world.heard("the hello", |script| !script.hellos.is_empty()).await;
    world.offer(&job("later"), 1).await;
    world.heard("heartbeats", |script| 3 < script.heartbeats.len()).await;
    assert!(world.counterpart.script().claims.is_empty(), "nobody takes the offer");

    {
        let mut script = world.counterpart.script();
        (script.draining, script.grant) = (false, Some(generous_grant()));
    }
    world.ended(&job("later"), 1).await;
    assert_eq!(worker.stop().await, Exit::Stopped);
}
