//! Checkpoints that rot, and disks that fill up.

use std::{fs, path::Path};

use contract::{
    control::JobState,
    events::{AttemptNote, AttemptStarted},
};
use system_tests::{FullDisk, Hold, Program, SCHEDULER, STORE, StepParams, System, submission};

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_bit() {
    resumes_from_the_one_before("flipped-bit", |file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_short() {
    resumes_from_the_one_before("cut-short", |file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone() {
    resumes_from_the_one_before("file-gone", |file| fs::remove_file(file).unwrap()).await;
}

async fn resumes_from_the_one_before(name: &str, damage: impl Fn(&Path)) {
    let mut system = System::start(name, &[]).await;
    let hold = Hold::at_step(&system.holds(), 25);
    let job = system.submit("job", &StepParams::steps(40).commit_every(10).hold(&hold)).await;
    hold.reached().await;
    system
        .until(&job, "checkpointed at 20", |view| view.attempts[0].progress.checkpoint_step == Some(20))
        .await;

    let newest = system.checkpoints(&job).await.into_iter().max_by_key(|manifest| manifest.step).unwrap();
    assert_eq!(newest.step, 20);
    damage(&system.path().join("checkpoints").join(&newest.key));
    system.restart("host-0").await;

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts[1].resumed_from_step, Some(10), "{view:#?}");
    let started = system.events.first::<AttemptStarted>(|started| started.attempt == 2).await;
    assert!(started.damaged[0].contains(&newest.key), "{started:?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_out() {
    let mut system = System::start("full-disk", &[]).await;
    let Some(disk) = FullDisk::over(&system.path().join("checkpoints")) else {
        eprintln!("skipped: a small disk cannot be mounted here (that needs root)");
        system.end().await;
        return;
    };
    system.restart(STORE).await;
    let hold = Hold::at_step(&system.holds(), 12);
    let job = system.submit("job", &StepParams::steps(30).commit_every(5).hold(&hold)).await;
    hold.reached().await;
    disk.fill();
    hold.release();
    let told = system.events.first::<AttemptNote>(|note| note.note.contains("No space left on device")).await;
    assert!(told.note.contains("step 15"), "{told:?}");

    disk.free();
    system.keep(disk);
    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "a run waits until there is room: {view:#?}");
    system.end().await;
}

/// What the scheduler cannot write down it has not heard: nothing is acknowledged, nothing is decided, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_without_room_loses_nothing() {
    let changes = [("scheduler.database", "state/scheduler.db")];
    let mut system = System::bare("full-database", &changes).await;
    let Some(disk) = FullDisk::over(&system.path().join("state")) else {
        eprintln!("skipped: a small disk cannot be mounted here (that needs root)");
        return;
    };
    system.launch_all([Program::step_trainer("host-0")]).await;
    let hold = Hold::at_step(&system.holds(), 25);
    let running = system.submit("running", &StepParams::steps(40).commit_every(10).hold(&hold)).await;
    hold.reached().await;

    disk.fill();
    // More than fits into whatever room the database still has of its own.
    let mut jobs = vec![running];
    for number in 0..40 {
        let mut late = submission(&format!("late-{number}"), &StepParams::steps(5));
        late.labels.insert("note".into(), "x".repeat(16 * 1024));
        jobs.push(system.publish(&late).await);
    }
    hold.release();
    system.log_line(SCHEDULER, "full").await;
    disk.free();
    system.keep(disk);

    for job in &jobs {
        let view = system.state(job, JobState::Succeeded).await;
        assert!(view.attempts.len() <= 2, "{view:#?}");
    }
    system.end().await;
}
