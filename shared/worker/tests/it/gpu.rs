//! GPUs whose memory others hold.

use std::sync::{Arc, Mutex};

use contract::events::RunResult;
use worker::{Control, Exit, GpuMemory, Holder, Run};

use crate::{
    counterpart::Script,
    trainers::Scripted,
    world::{World, job},
};

const FREE: GpuMemory = GpuMemory { index: 0, total_mib: 16_384, used_mib: 400, holders: Vec::new() };

/// A stranger holds much, and this process a little.
fn held() -> GpuMemory {
    let stranger = Holder { pid: 4_711, mib: Some(9_000) };
    let ours = Holder { pid: std::process::id(), mib: Some(300) };
    GpuMemory { used_mib: 9_618, holders: vec![stranger, ours], ..FREE }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_takes_nothing_while_others_hold_the_memory_and_says_so() {
    let world = World::new().await;
    let memory = Arc::new(Mutex::new(held()));
    let told = memory.clone();
    let trainer = Scripted(|_: &Run, _: &mut dyn Control| Ok(RunResult::default()));
    let worker = world.start_on(trainer, Arc::new(move || Some(told.lock().unwrap().clone())));
    let why = "gpu 0: 9.1 GiB held by others (pid 4711)";
    let last_word = |paused: Option<&str>| {
        let paused = paused.map(str::to_owned);
        move |script: &Script| script.hellos.last().is_some_and(|hello| hello.paused == paused)
    };
    world.heard("a pause", last_word(Some(why))).await;
    let job = job("waits");
    world.offer(&job, 1).await;

    *memory.lock().unwrap() = FREE;
    world.ended(&job, 1).await;
    world.heard("that it goes on", last_word(None)).await;
    assert_eq!(world.counterpart.script().claims.len(), 1);

    // A slot that listens already puts back what it is offered.
    *memory.lock().unwrap() = held();
    world.offer(&job, 2).await;
    world.heard("another pause", last_word(Some(why))).await;
    assert_eq!(world.counterpart.script().claims.len(), 1);
    *memory.lock().unwrap() = FREE;
    world.ended(&job, 2).await;
    assert_eq!(worker.stop().await, Exit::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_for_memory_stops_when_it_is_told_to() {
    let world = World::new().await;
    let trainer = Scripted(|_: &Run, _: &mut dyn Control| Ok(RunResult::default()));
    let worker = world.start_on(trainer, Arc::new(|| Some(held())));
    world.heard("a pause", |script| script.hellos.len() == 2).await;
    assert_eq!(worker.stop().await, Exit::Stopped);
    assert!(world.counterpart.script().claims.is_empty());
}
