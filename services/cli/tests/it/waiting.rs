//! Waiting for jobs, and watching them.

use contract::{
    Failure, FailureClass, JobId, Timestamp,
    control::{CancelJob, GetJob, JobState},
    events::{AttemptProgress, JobEnded, JobRetrying},
};
use local_broker::testing::Proxy;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    command::{Finished, World},
    scheduler::{Scheduler, golden, job},
};

#[tokio::test]
async fn waiting_tells_what_happens_and_ends_with_the_job() {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, Vec::new()).await;
    let arguments = ["submit", "--workload=classifier", "--data=cats", "--id=cats-1", "--wait"];
    let waiting = world.command(&arguments).spawn().unwrap();
    // It listens before it looks whether the job has ended already.
    scheduler.is_asked::<GetJob>().await;

    let job_id = JobId::new("cats-1").unwrap();
    scheduler.tell(&AttemptProgress { job_id: job_id.clone(), ..golden() }).await;
    scheduler.tell(&JobRetrying { job_id: job_id.clone(), ..golden() }).await;
    scheduler.set_state(&job_id, JobState::Dead);
    scheduler.tell(&ended(&job_id)).await;

    let finished = Finished::of(waiting.wait_with_output().await.unwrap());
    assert_eq!(finished.code, Some(4), "{finished:?}");
    assert!(finished.stderr.contains("attempt 1 failed: transient"), "{finished:?}");
    assert!(finished.stdout.starts_with("job cats-1 dead"), "{finished:?}");
}

fn ended(job_id: &JobId) -> JobEnded {
    JobEnded {
        job_id: job_id.clone(),
        state: JobState::Dead,
        failure: Some(Failure::new(FailureClass::Oom, "out of memory")),
        at: Timestamp::now(),
        ..golden()
    }
}

#[tokio::test]
async fn ctrl_c_while_waiting_leaves_the_job_running() {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, Vec::new()).await;
    let arguments = ["submit", "--workload=classifier", "--data=cats", "--id=cats-1", "--wait"];
    let waiting = world.command(&arguments).spawn().unwrap();
    scheduler.is_asked::<GetJob>().await;
    interrupt(waiting.id());
    let finished = Finished::of(waiting.wait_with_output().await.unwrap());
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(
        finished.stderr.contains("job cats-1 goes on; `rekindle watch cats-1` follows it"),
        "{finished:?}"
    );
    scheduler.asked.close();
    while let Some(kind) = scheduler.asked.recv().await {
        assert_ne!(kind, <CancelJob as contract::Message>::KIND);
    }
}

#[tokio::test]
async fn a_line_that_is_cut_does_not_end_the_waiting() {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, vec![job("cats-1", JobState::Running)]).await;
    let line = Proxy::start(world.vhost.amqp_url()).await.unwrap();
    let mut watching = world.command(&["watch", "cats-1"]);
    let watching = watching.env("REKINDLE__BROKER__URL", line.url()).spawn().unwrap();
    scheduler.is_asked::<GetJob>().await;
    scheduler.is_asked::<GetJob>().await;

    line.cut();
    let job_id = JobId::new("cats-1").unwrap();
    scheduler.set_state(&job_id, JobState::Dead);
    // Nobody hears it: the line is cut. The job is looked at again once it is back.
    scheduler.tell(&ended(&job_id)).await;
    line.restore();
    let finished = Finished::of(watching.wait_with_output().await.unwrap());
    assert_eq!(finished.code, Some(4), "{finished:?}");
}

#[tokio::test]
async fn watching_follows_a_job_to_its_end_and_others_until_ctrl_c() {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, vec![job("cats-1", JobState::Running)]).await;
    let job_id = JobId::new("cats-1").unwrap();

    let one = world.command(&["watch", "cats-1", "--json"]).spawn().unwrap();
    // Once to find it, once when it listens.
    scheduler.is_asked::<GetJob>().await;
    scheduler.is_asked::<GetJob>().await;
    scheduler.set_state(&job_id, JobState::Dead);
    scheduler.tell(&ended(&job_id)).await;
    let finished = Finished::of(one.wait_with_output().await.unwrap());
    assert_eq!(finished.code, Some(4), "{finished:?}");
    assert_eq!(finished.json()["kind"], "job.ended");

    let mut all = world.command(&["watch"]).spawn().unwrap();
    let mut lines = BufReader::new(all.stdout.take().unwrap()).lines();
    // When it begins to listen is not to be seen from outside, so it is told again until it has heard.
    let line = loop {
        scheduler.tell(&AttemptProgress { job_id: job_id.clone(), ..golden() }).await;
        let wait = tokio::time::timeout(std::time::Duration::from_millis(100), lines.next_line());
        if let Ok(line) = wait.await {
            break line.unwrap().unwrap();
        }
    };
    assert!(line.contains("cats-1  attempt 2: step 1200/4000"), "{line}");
    interrupt(all.id());
    assert_eq!(all.wait().await.unwrap().code(), Some(130));
}

#[tokio::test]
async fn following_the_log_ends_with_the_job() {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, vec![job("cats-1", JobState::Running)]).await;
    let job_id = JobId::new("cats-1").unwrap();
    let following = world.command(&["logs", "cats-1", "--follow"]).spawn().unwrap();
    scheduler.is_asked::<GetJob>().await;
    scheduler.is_asked::<GetJob>().await;
    scheduler.set_state(&job_id, JobState::Succeeded);
    scheduler.tell(&ended(&job_id)).await;
    let finished = Finished::of(following.wait_with_output().await.unwrap());
    assert_eq!((finished.code, finished.stdout.lines().count()), (Some(0), 3), "{finished:?}");
}

pub(crate) fn interrupt(process: Option<u32>) {
    let process = nix::unistd::Pid::from_raw(i32::try_from(process.unwrap()).unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
}
