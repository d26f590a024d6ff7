//! Trainers whose processes take more host memory than they may.

use std::os::unix::process::ExitStatusExt;

use contract::{FailureClass, GpuClass, control::JobState};
use system_tests::{How, MemoryGroup, Program, StepParams, System};
use worker::Exit;

const LIMIT: (&str, &str) = ("workloads.step.host_memory_mib", "256");
const SIGKILL: i32 = 9;

/// The guard sees a process that stays above the limit, and has the job go on elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_above_its_limit_ends_and_the_job_goes_on_where_there_is_more() {
    let mut system = System::start("hoards", &[LIMIT]).await;
    system.launch(Program::step_trainer("host-1").on("large")).await;
    system.workers(2).await;
    let params = StepParams::steps(100).of_ms(50).commit_every(10).fail(12, 1, How::Hoard(320));
    let classes = ["cpu", "large"].map(|class| GpuClass::new(class).unwrap());
    let job = system.submit_with("job", &params, |job| job.resources.gpu = classes.into()).await;

    let status = system.take("host-0").ended().await;
    assert_eq!(status.code(), Some(i32::from(Exit::ABANDONED)), "{status}");
    let view = system.state(&job, JobState::Succeeded).await;
    let failure = view.attempts[0].failure.as_ref().expect("the first attempt failed");
    assert_eq!(failure.class, FailureClass::Oom);
    assert!(failure.message.starts_with("host memory: the trainer's process uses "), "{failure}");
    assert!(failure.message.contains("MiB, and host_memory_mib of its workload is 256"), "{failure}");
    let second = &view.attempts[1];
    assert_eq!((second.worker.as_str(), second.resumed_from_step), ("host-1", Some(10)));
    system.relaunch("host-0");
    system.workers(2).await;
    system.end().await;
}

/// What grows too fast for the guard is killed by the kernel, and the next life of the same worker says what it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_grows_fast_is_killed_by_the_kernel_and_ends_as_oom() {
    let mut system = System::start("hoards-fast", &[LIMIT]).await;
    let lines = ["the kernel limits this process's memory", "no control group of its own"];
    if system.either_line("host-0", lines).await == 1 {
        println!(
            "skipped: a trainer cannot make a control group here; only the guard and RLIMIT_DATA limit it"
        );
        return system.end().await;
    }
    let params = StepParams::steps(100).of_ms(50).commit_every(10).fail(12, 9, How::Hoard(900));
    let job = system.submit("job", &params).await;

    let status = system.take("host-0").ended().await;
    // The guard may just have looked.
    let seen_by_guard = status.code() == Some(i32::from(Exit::ABANDONED));
    assert!(seen_by_guard || status.signal() == Some(SIGKILL), "{status}");
    system.relaunch("host-0");
    let view = system.state(&job, JobState::Dead).await;
    let failure = view.attempts[0].failure.as_ref().expect("it was killed");
    assert_eq!((view.attempts.len(), failure.class), (1, FailureClass::Oom), "{view:#?}");
    assert!(failure.message.starts_with("host memory: the "), "{failure}");
    assert!(failure.message.contains("MiB, and host_memory_mib of its workload is 256"), "{failure}");
    // The next life is well.
    let next = system.submit("next", &StepParams::steps(3)).await;
    system.state(&next, JobState::Succeeded).await;
    system.dead_letters(1).await;
    system.end().await;
}

/// The limit is somebody else's, a container's for instance, and nobody has told the trainer of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_for_memory_by_others_ends_as_oom() {
    let group = match MemoryGroup::create("outside", 256) {
        Ok(group) => group,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let mut system = System::bare("killed-for-memory", &[]).await;
    system.launch_all([Program::step_trainer("host-0").inside(&group)]).await;
    let params = StepParams::steps(100).of_ms(50).commit_every(10).fail(12, 9, How::Hoard(900));
    let job = system.submit("job", &params).await;

    let status = system.take("host-0").ended().await;
    assert_eq!(status.signal(), Some(SIGKILL), "{status}");
    system.relaunch("host-0");
    let view = system.state(&job, JobState::Dead).await;
    let failure = view.attempts[0].failure.as_ref().expect("it was killed");
    assert_eq!((view.attempts.len(), failure.class), (1, FailureClass::Oom), "{view:#?}");
    let text =
        "host memory: the kernel killed the trainer's process because its control group ran out of memory";
    assert!(failure.message.starts_with(text), "{failure}");
    assert_eq!(view.ledger.losses, 0);
    system.dead_letters(1).await;
    system.end().await;
}

/// One request that is far too large is refused, and harms nobody else in the process.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_far_too_much_fails_and_the_process_lives_on() {
    let mut system = System::start("asks-too-much", &[LIMIT]).await;
    let bystander = system.submit("bystander", &StepParams::steps(60).of_ms(50)).await;
    let greedy = StepParams::steps(20).fail(12, 9, How::Hoard(8192));
    let job = system.submit("job", &greedy).await;

    let view = system.state(&job, JobState::Dead).await;
    let failure = view.attempts[0].failure.as_ref().expect("it failed");
    assert_eq!(failure.class, FailureClass::Oom);
    assert!(failure.message.starts_with("8192 MiB more: "), "{failure}");
    assert!(!system.process("host-0").is_gone());
    assert_eq!(system.state(&bystander, JobState::Succeeded).await.attempts.len(), 1);
    system.dead_letters(1).await;
    system.end().await;
}
