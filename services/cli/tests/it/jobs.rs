//! Asking about jobs and about everything else.

use contract::{SubmitJob, control::JobState};

use crate::{
    command::{Finished, World, command},
    scheduler::{Scheduler, job},
};

#[tokio::test]
async fn jobs_are_listed_and_shown() {
    let world = World::create().await;
    let jobs = vec![job("cats-1", JobState::Running), job("dogs-1", JobState::Dead)];
    let _scheduler = Scheduler::start(&world, jobs).await;

    let list = world.run(&["ls"]).await;
    assert_eq!(list.code, Some(0), "{list:?}");
    assert!(list.stdout.contains("cats-1  running     classifier"), "{list:?}");
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
    let cost = world.run(&["cost"]).await;
    assert!(cost.stdout.contains("vision-team  l4 spot"), "{cost:?}");
    assert!(cost.stdout.lines().last().unwrap().starts_with("total  "), "{cost:?}");
    let by_class = world.run(&["cost", "--by", "class", "--json"]).await.json();
    assert_eq!(
        (by_class["lines"][1]["tier"].as_str(), by_class["lines"][1].get("group")),
        (Some("spot"), None)
    );
    let month = world.run(&["cost", "--month", "2026-11", "--owner", "ann"]).await;
    assert!(month.stdout.contains("2026-11"), "{month:?}");
    let no_month = world.run(&["cost", "--month", "11/2026"]).await;
    assert_eq!(no_month.code, Some(2));
    assert!(no_month.stderr.contains("\"11/2026\" is not a month; write 2026-11"), "{no_month:?}");
    let checkpoints = world.run(&["checkpoints", "cats-1", "--verify"]).await;
    assert_eq!(checkpoints.code, Some(1), "one is damaged: {checkpoints:?}");
    let fetched = world.run(&["checkpoints", "cats-1", "--fetch", "final"]).await;
    assert_eq!(fetched.code, Some(3), "there is none: {fetched:?}");
    let left = world.run(&["artifacts", "cats-1", "--json"]).await;
    assert_eq!(left.json()[0]["name"], "model.safetensors");

    let paused = world.run(&["pause", "cats-1"]).await;
    assert_eq!(paused.stdout, "job cats-1 is paused\n", "{paused:?}");
    let resumed = world.run(&["resume", "cats-1"]).await;
    assert_eq!(resumed.stdout, "job cats-1 is running again\n", "{resumed:?}");
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

#[tokio::test]
async fn jobs_that_have_ended_are_removed_one_by_one_or_by_age() {
    let world = World::create().await;
    let jobs = [("cats-1", JobState::Running), ("dogs-1", JobState::Dead), ("dogs-2", JobState::Succeeded)];
    let _scheduler = Scheduler::start(&world, jobs.map(|(id, state)| job(id, state)).into()).await;

    let running = world.run(&["rm", "cats-1"]).await;
    let told = "error: job cats-1 is running; only one that has ended can be removed: cancel it first\n";
    assert_eq!((running.code, running.stderr.as_str()), (Some(1), told));
    let dry = world.run(&["rm", "dogs-1", "--dry-run"]).await;
    assert_eq!(dry.stdout, "job dogs-1 (dead) would be removed\n");
    let gone = world.run(&["rm", "dogs-1"]).await;
    assert_eq!(gone.stdout, "job dogs-1 is removed, with 9 files of 283 MB\n", "{gone:?}");
    assert_eq!(world.run(&["show", "dogs-1"]).await.code, Some(3));

    let none = world.run(&["rm", "--ended-for", "36500d"]).await;
    assert_eq!((none.code, none.stderr.as_str()), (Some(0), "no job has ended that long ago\n"));
    let some = world.run(&["rm", "--ended-for", "30d", "--dry-run", "--json"]).await;
    assert!(some.stdout.contains("dogs-2"), "{some:?}");
    assert_eq!(world.run(&["rm"]).await.code, Some(2), "which ones?");
}

#[tokio::test]
async fn jobs_are_chosen_by_what_they_are() {
    let world = World::create().await;
    let jobs = [
        ("cats-1", JobState::Running),
        ("cats-2", JobState::Queued),
        ("dogs-1", JobState::Dead),
        ("dogs-2", JobState::Cancelled),
    ];
    let _scheduler = Scheduler::start(&world, jobs.map(|(id, state)| job(id, state)).into()).await;

    let unsaid = world.run(&["cancel"]).await;
    assert_eq!(unsaid.code, Some(2), "{unsaid:?}");
    assert!(unsaid.stderr.contains("say which jobs to cancel: their ids, or --state"), "{unsaid:?}");
    let wrong = world.run(&["retry", "--state", "running"]).await;
    assert_eq!(
        (wrong.code, wrong.stderr.as_str()),
        (Some(2), "error: a job that is running cannot be told to retry\n")
    );
    let nobody = world.run(&["pause", "--owner", "vision-team"]).await;
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
    assert!(nobody.stderr.contains("say --yes to pause 2 jobs: cats-2 cats-1"), "{nobody:?}");

    let dry = world.run(&["pause", "--owner", "vision-team", "--dry-run"]).await;
    let would = "job cats-2 (queued) would be paused\njob cats-1 (running) would be paused\n";
    assert_eq!((dry.code, dry.stdout.as_str()), (Some(0), would), "{dry:?}");
    assert_eq!(world.run(&["show", "cats-1", "--json"]).await.json()["state"], "running");

    let paused = world.run(&["pause", "--owner", "vision-team", "--yes"]).await;
    assert_eq!(paused.stdout, "job cats-2 is paused\njob cats-1 is paused\n", "{paused:?}");
    assert_eq!(paused.stderr, "2 of 2 jobs paused\n");
    let resumed = world.run(&["resume", "--state", "paused", "-y"]).await;
    assert_eq!(resumed.stderr, "2 of 2 jobs resumed\n", "{resumed:?}");
}

#[tokio::test]
async fn dead_jobs_go_through_again_otherwise() {
    let world = World::create().await;
    let jobs = [("dogs-1", JobState::Dead), ("dogs-2", JobState::Dead), ("dogs-3", JobState::Cancelled)];
    let _scheduler = Scheduler::start(&world, jobs.map(|(id, state)| job(id, state)).into()).await;

    let edits = ["--set", "params.lr=0.01", "--gpu", "a100", "--max-usd", "20", "--timeout", "2h"];
    let dry = [&["retry", "--failed", "oom", "--dry-run"], &edits[..]].concat();
    let dry = world.run(&dry).await;
    let lines: Vec<&str> = dry.stdout.lines().collect();
    assert_eq!((dry.code, lines.len()), (Some(0), 3), "{dry:?}");
    assert!(lines[1].starts_with("dogs-2  dead (oom)"), "{dry:?}");
    assert!(lines[1].ends_with("gpu=a100 params.lr=0.01 timeout=7200.0"), "{dry:?}");
    assert_eq!(world.run(&["show", "dogs-1", "--json"]).await.json()["state"], "dead");

    let bad = world.run(&["retry", "--failed", "oom", "--yes", "--set", "bad=1"]).await;
    let told = "dogs-2: params: unknown field `bad`\ndogs-1: params: unknown field `bad`\n0 of 2 jobs sent through again\n";
    assert_eq!((bad.code, bad.stderr.as_str()), (Some(3), told), "{bad:?}");
    let done = [&["retry", "--failed", "oom", "--yes"], &edits[..]].concat();
    let done = world.run(&done).await;
    assert_eq!(done.stdout, "job dogs-2 is queued again\njob dogs-1 is queued again\n", "{done:?}");
    let none = world.run(&["retry", "--failed", "lost", "--yes"]).await;
    assert_eq!((none.code, none.stderr.as_str()), (Some(0), "no job fits\n"));
}

#[tokio::test]
async fn a_trainer_is_drained() {
    let world = World::create().await;
    let _scheduler = Scheduler::start(&world, Vec::new()).await;
    let drained = world.run(&["drain", "gpu-host-0"]).await;
    let told = "worker gpu-host-0 takes nothing new; the job that it runs may finish\n";
    assert_eq!(drained.stdout, told, "{drained:?}");
    let back = world.run(&["drain", "gpu-host-0", "--undo"]).await;
    assert_eq!(back.stdout, "worker gpu-host-0 takes jobs again\n");
    assert_eq!(world.run(&["drain", "gpu-host-0", "--undo", "--hand-back"]).await.code, Some(2));
}
