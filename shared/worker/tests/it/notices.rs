//! Machines that a cloud takes away.

use contract::{FailureClass, events::AttemptStarted};
use local_broker::testing::eventually;
use local_cloud::{Cloud, Fate, Kind};
use worker::Exit;

use crate::{
    trainers::{Scripted, train_until_stopped},
    world::{Running, World, job},
};

fn start(world: &World, cloud: &Cloud) -> Running {
    let variables = [
        ("REKINDLE__WORKER__SPOT_NOTICE", cloud.kind().as_str()),
        ("REKINDLE__WORKER__SPOT_NOTICE_URL", cloud.url.as_str()),
    ];
    world.start_with(Scripted(train_until_stopped), &variables)
}

/// A notice in the middle of a run has its state saved and the run handed back, as SIGTERM does.
async fn check_handed_back(kind: Kind, notice: &str) {
    let world = World::new().await;
    let cloud = Cloud::start(kind, Fate::Disturbed).await;
    let worker = start(&world, &cloud);
    let job = job("taken-away");
    world.offer(&job, 1).await;
    world.steps_heard().await;
    assert_eq!(world.checkpoints(&job).await.len(), 0);

    cloud.decide(Fate::Goes);
    assert_eq!(worker.gone().await, Exit::Stopped);
    let ended = world.ended(&job, 1).await;
    let saved = world.checkpoints(&job).await[0].manifest.step;
    assert_eq!(ended.progress.checkpoint_step, Some(saved));
    let failure = world.failed(&job, 1).await;
    assert_eq!(failure.class, FailureClass::Preempted);
    assert_eq!(failure.message, format!("{notice}: the worker was told to stop"));
    assert_eq!(world.counterpart.script().goodbyes.len(), 1);
    assert_eq!(cloud.faults(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_of_ec2_hands_the_run_back() {
    check_handed_back(Kind::Aws, "EC2 has announced for 2026-09-18T08:22:00Z: terminate this machine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_of_compute_engine_hands_the_run_back() {
    check_handed_back(Kind::Gcp, "Compute Engine preempts this machine within 30 seconds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_of_azure_hands_the_run_back() {
    let notice = "Azure evicts this machine, not before Mon, 19 Sep 2026 18:29:47 GMT";
    check_handed_back(Kind::Azure, notice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_ec2_that_has_run_out_is_renewed() {
    let world = World::new().await;
    let cloud = Cloud::start(Kind::Aws, Fate::Stays).await;
    let worker = start(&world, &cloud);
    eventually("a second token", async || cloud.tokens() == 2).await.unwrap();
    cloud.decide(Fate::Goes);
    assert_eq!(worker.gone().await, Exit::Stopped);
    assert_eq!(cloud.faults(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_harms_nothing() {
    let world = World::new().await;
    let cloud = Cloud::start(Kind::Gcp, Fate::OutOfOrder).await;
    let worker = start(&world, &cloud);
    let job = job("unharmed");
    world.offer(&job, 1).await;
    world.event(|_: &AttemptStarted| true).await;
    assert!(0 < cloud.questions());

    cloud.decide(Fate::Goes);
    assert_eq!(worker.gone().await, Exit::Stopped, "it is heard as soon as it answers");
    assert_eq!(world.failed(&job, 1).await.class, FailureClass::Preempted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_on_a_machine_that_goes_takes_nothing_until_it_stays() {
    let world = World::new().await;
    let cloud = Cloud::start(Kind::Azure, Fate::Goes).await;
    let worker = start(&world, &cloud);
    eventually("it has looked more than once", async || 3 < cloud.questions()).await.unwrap();
    assert!(world.counterpart.script().hellos.is_empty());
    cloud.decide(Fate::Stays);
    world.heard("a hello", |script| script.hellos.len() == 1).await;
    worker.stop().await;
}
