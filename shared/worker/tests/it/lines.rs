//! Lines that break, and a scheduler that forgets.

use std::sync::{Mutex, mpsc};

use contract::{
    FailureClass,
    events::{AttemptEnd, AttemptEnded, AttemptStarted, RunResult},
    lease::Progress,
};
use local_broker::testing::Proxy;
use worker::{Control, Exit, Run};

use crate::{
    trainers::{Scripted, train_until_stopped, train_until_told},
    world::{World, job},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_while_the_line_is_cut_and_its_end_is_told_when_it_is_back() {
    let world = World::new().await;
    let proxy = Proxy::start(world.vhost.amqp_url()).await.unwrap();
    let (enough, told) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let ends = Mutex::new((told, done));
    let trainer = Scripted(move |run: &Run, control: &mut dyn Control| {
        let ends = ends.lock().unwrap();
        let step = train_until_told(run, control, &ends.0);
        ends.1.send(step).unwrap();
        Ok(RunResult::default())
    });
    let worker = world.start_with(trainer, &[("REKINDLE__BROKER__URL", proxy.url())]);
    let job = job("cut-off");
    world.offer(&job, 1).await;
    world.steps_heard().await;

    proxy.cut();
    world.silence().await;
    enough.send(()).unwrap();
    let last_step = tokio::task::spawn_blocking(move || is_done.recv().unwrap()).await.unwrap();
    assert!(world.events::<AttemptEnded>().is_empty(), "the line is cut");
    proxy.restore();

    let ended = world.ended(&job, 1).await;
    assert_eq!(ended.end, AttemptEnd::Succeeded(RunResult::default()));
    assert_eq!(ended.progress.step, last_step);
    assert_eq!(world.events::<AttemptStarted>().len(), 1);
    assert_eq!(worker.stop().await, Exit::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_forgotten_introduces_itself_again_and_its_run_goes_on() {
    let world = World::new().await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("remembered");
    world.offer(&job, 1).await;
    world.event(|_: &AttemptStarted| true).await;
    world.counterpart.script().forget_once = true;
    world.heard("a second hello", |script| script.hellos.len() == 2).await;
    {
        let script = world.counterpart.script();
        assert_eq!(script.hellos[0], script.hellos[1], "it is the same life of the process");
    }
    assert!(world.events::<AttemptEnded>().is_empty());
    worker.stop().await;
    assert_ne!(world.ended(&job, 1).await.progress, Progress::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_name_another_process_took_hands_back_its_run_and_says_why_it_goes() {
    let world = World::new().await;
    let worker = world.start(Scripted(train_until_stopped));
    let job = job("dismissed");
    world.offer(&job, 1).await;
    world.event(|_: &AttemptStarted| true).await;
    {
        let mut script = world.counterpart.script();
        (script.dismiss, script.forget_once) = (true, true);
    }
    let error = worker.failed().await;
    let told = format!("{error:#}");
    assert_eq!(told, "the scheduler does not take this worker: another process has this name");
    assert_eq!(world.failed(&job, 1).await.class, FailureClass::Preempted);

    let newcomer = world.start(Scripted(train_until_stopped));
    assert_eq!(format!("{:#}", newcomer.failed().await), told);
}
