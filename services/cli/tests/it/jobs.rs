//! Asking about jobs.

use contract::{
    Failure, FailureClass, JobId, SubmitJob, Timestamp,
    control::{CancelJob, GetJob, JobState},
    events::{AttemptProgress, JobEnded, JobRetrying},
};
use local_broker::testing::Proxy;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    command::{Finished, World, command},
    scheduler::{Scheduler, golden, job},
};

#[tokio::test]
async fn jobs_are_listed_and_shown() {
    let world = World::create().await;
    let jobs = vec![job("cats-1", JobState::Running), job("dogs-1", JobState::Dead)];
    let _scheduler = Scheduler::start(&world, jobs).await;

    let list = world.run(&["ls"]).await;
    assert_eq!(list.code, Some(0), "{list:?}");
    assert!(list.stdout.contains("cats-1  running  classifier"), "{list:?}");
    assert_eq!(world.run(&["ls", "--json"]).await.json()["jobs"][1]["state"], "dead");

    let shown = world.run(&["show", "dogs-1"]).await;
    assert!(shown.stdout.contains("job         dogs-1"), "{shown:?}");
    assert_eq!(
        world.run(&["show", "dogs", "--json"]).await.json()["job_id"],
        "dogs-1",
        "part of an id will do"
    );
    let path = world.folder.path().join("data/checkpoints/jobs/flowers-7/artifacts/model.safetensors");
    assert!(shown.stdout.contains(path.to_str().unwrap()), "artifacts are found on this machine: {shown:?}");

    let ambiguous = world.run(&["show", "s-1"]).await;
    assert_eq!(ambiguous.code, Some(3));
    assert_eq!(ambiguous.stderr, "error: \"s-1\" could be any of 2 jobs; give more of the id\n");
    let missing = world.run(&["show", "birds"]).await;
    assert_eq!((missing.code, missing.stderr.as_str()), (Some(3), "error: there is no such job\n"));
    let wrong = world.run(&["show", "a b"]).await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("job id \"a b\" is not valid"), "{wrong:?}");
}

#[tokio::test]
async fn every_other_question_has_its_answer() {
    let world = World::create().await;
    let _scheduler = Scheduler::start(&world, vec![job("cats-1", JobState::Running)]).await;

    let logs = world.run(&["logs", "cats-1"]).await;
    assert_eq!((logs.code, logs.stdout.lines().count()), (Some(0), 3), "all pages: {logs:?}");
    let workers = world.run(&["workers"]).await;
    assert!(workers.stdout.contains("gpu-host-0"), "{workers:?}");
    let estimate = world.run(&["estimate", "--workload=classifier", "--data=cats"]).await;
    assert!(estimate.stdout.contains("at worst"), "{estimate:?}");
    let checkpoints = world.run(&["checkpoints", "cats-1", "--verify"]).await;
    assert_eq!(checkpoints.code, Some(1), "one is damaged: {checkpoints:?}");
    let fetched = world.run(&["checkpoints", "cats-1", "--fetch", "final"]).await;
    assert_eq!(fetched.code, Some(3), "there is none: {fetched:?}");
    let left = world.run(&["artifacts", "cats-1", "--json"]).await;
    assert_eq!(left.json()[0]["name"], "model.safetensors");

    let cancelled = world.run(&["cancel", "cats-1"]).await;
    assert_eq!(cancelled.stdout, "job cats-1 is cancelled\n");
    let retried = world.run(&["retry", "cats-1", "--total-usd", "5"]).await;
    assert_eq!(retried.stdout, "job cats-1 is queued again\n");
    let some = world.run(&["cancel", "birds", "cats-1"]).await;
    assert_eq!((some.code, some.stdout.as_str()), (Some(3), "job cats-1 is cancelled\n"), "{some:?}");
}

#[tokio::test]
async fn a_job_is_submitted_under_a_fresh_name_and_a_refusal_told() {
    let world = World::create().await;
    let mut scheduler = Scheduler::start(&world, Vec::new()).await;
    let submitted = world.run(&["submit", "--workload=classifier", "--data=cats", "--json"]).await;
    assert_eq!(submitted.code, Some(0), "{submitted:?}");
    scheduler.is_asked::<SubmitJob>().await;
    let id = submitted.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["show", &id, "--json"]).await.json()["submission"]["params"]["data"], "cats");

    let refused = world.run(&["submit", "--workload=classifier", "-pbad=1"]).await;
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(3), "error: params: unknown field `bad`\n"));
    let unsaid = world.run(&["submit"]).await;
    assert_eq!(unsaid.code, Some(2), "{unsaid:?}");
}

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

#[tokio::test]
async fn nobody_there_is_told_apart_from_nothing_there() {
    let world = World::create().await;
    let (no_scheduler, no_broker) = tokio::join!(world.run(&["ls"]), async {
        let mut command = command(world.folder.path(), &["ls"]);
        command.env("REKINDLE__BROKER__URL", "amqp://me:secret@127.0.0.1:9/%2f");
        Finished::of(command.output().await.unwrap())
    });
    assert_eq!(no_scheduler.code, Some(5), "{no_scheduler:?}");
    let told = "error: no answer to job.list within 5 s; is the scheduler service running?\n";
    assert_eq!(no_scheduler.stderr, told);
    assert_eq!(no_broker.code, Some(5), "{no_broker:?}");
    assert!(no_broker.stderr.contains("no broker answers at 127.0.0.1:9"), "{no_broker:?}");
    assert!(!no_broker.stderr.contains("secret"), "{no_broker:?}");
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_failure() {
    let world = World::create().await;
    let _scheduler = Scheduler::start(&world, vec![job("cats-1", JobState::Running)]).await;
    let mut listing = world.command(&["ls"]).spawn().unwrap();
    drop(listing.stdout.take());
    let finished = Finished::of(listing.wait_with_output().await.unwrap());
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong() {
    let world = World::create().await;
    let alone = world.run(&["doctor"]).await;
    assert_eq!(alone.code, Some(1), "{alone:?}");
    assert!(alone.stdout.contains("ok    topology"), "{alone:?}");
    assert!(alone.stdout.contains("FAIL  scheduler           no answer to worker.list"), "{alone:?}");
    assert!(alone.stdout.contains("warn  data root"), "{alone:?}");

    let _scheduler = Scheduler::start(&world, Vec::new()).await;
    let checks = world.run(&["doctor", "--json"]).await.json();
    let verdict = |what: &str| {
        let checks = checks.as_array().unwrap();
        checks.iter().find(|check| check["what"] == what).map(|check| check["verdict"].clone())
    };
    assert_eq!(verdict("scheduler"), Some("ok".into()));
    assert_eq!(verdict("checkpoint-store"), Some("ok".into()));
    assert_eq!(verdict("classifier workers"), Some("ok".into()));
    assert_eq!(verdict("dit workers"), Some("warn".into()));

    std::fs::write(world.folder.path().join("rekindle.toml"), "[brocker]\n").unwrap();
    let broken = world.run(&["doctor"]).await;
    assert_eq!(broken.code, Some(1));
    assert!(broken.stdout.starts_with("FAIL  settings"), "{broken:?}");
}

#[tokio::test]
async fn completions_need_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rekindle.toml"), "not toml").unwrap();
    for (shell, sign) in
        [("bash", "complete -F _rekindle"), ("zsh", "#compdef rekindle"), ("fish", "complete -c rekindle")]
    {
        let script = Finished::of(command(folder.path(), &["completions", shell]).output().await.unwrap());
        assert_eq!(script.code, Some(0), "{script:?}");
        assert!(script.stdout.contains(sign), "{shell}");
    }
}

fn interrupt(process: Option<u32>) {
    let process = nix::unistd::Pid::from_raw(i32::try_from(process.unwrap()).unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
}
