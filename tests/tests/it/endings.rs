//! Every class of failure, and what comes of it.

use contract::{
    FailureClass, TotalLimits,
    control::{Charge, JobState, RedriveJob},
};
use system_tests::{Hold, How, Program, StepParams, System};
use worker::Exit;

#[tokio::test(flavor = "multi_thread")]
async fn undisturbed_jobs_run_side_by_side() {
    let mut system = System::start("undisturbed", &[]).await;
    let mut jobs = Vec::new();
    for seed in 0..8 {
        let params = StepParams { seed, ..StepParams::steps(20).checkpoint_every(5) };
        jobs.push(system.submit(&format!("job-{seed}"), &params).await);
    }
    for job in &jobs {
        let view = system.state(job, JobState::Succeeded).await;
        assert_eq!((view.attempts.len(), view.ledger.steps_repeated), (1, 0), "{view:#?}");
        let result = view.result.expect("a success leaves a result");
        assert_eq!(result.metrics["steps"], 20.0);
    }
    system.end().await;
}

/// SIGTERM is how a machine that goes away says so: checkpoint, hand back, go on elsewhere from the very step.
#[tokio::test(flavor = "multi_thread")]
async fn preempted_and_taken_up_at_the_very_step() {
    let mut system = System::start("preempted", &[]).await;
    let hold = Hold::at_step(&system.holds(), 25);
    let params = StepParams::steps(40).commit_every(10).hold(&hold);
    let job = system.submit("job", &params).await;
    hold.reached().await;

    system.take("host-0").shut_down().await;
    system.relaunch("host-0");

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    assert_eq!(view.attempts[0].failure.as_ref().map(|failure| failure.class), Some(FailureClass::Preempted));
    assert_eq!(view.attempts[0].charged_to, Some(Charge::Preemptions));
    assert_eq!(view.attempts[1].resumed_from_step, Some(25));
    assert_eq!(view.ledger.steps_repeated, 0, "{view:#?}");
    assert_eq!((view.ledger.preemptions, view.ledger.retries), (1, 0));
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_uses_up_its_time_goes_on_in_the_next() {
    let mut system = System::start("timeout", &[]).await;
    let job = system
        .submit_with("job", &StepParams::steps(80).of_ms(50), |job| job.timeout = Some("2s".parse().unwrap()))
        .await;

    let view = system.state(&job, JobState::Succeeded).await;
    assert!(2 <= view.attempts.len(), "4 s of steps do not fit into 2 s: {view:#?}");
    assert_eq!(view.attempts[0].failure.as_ref().map(|failure| failure.class), Some(FailureClass::Timeout));
    assert_eq!(view.attempts[0].charged_to, Some(Charge::Retries));
    assert_eq!(view.ledger.steps_repeated, 0, "it checkpointed before it stopped: {view:#?}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_hangs_is_given_up() {
    let mut system = System::start("hang", &[("scheduler.hang_limit", "2s")]).await;
    let hold = Hold::at_step(&system.holds(), 5);
    let job = system.submit("job", &StepParams::steps(20).hold(&hold)).await;

    // A thread cannot be killed, so the process goes, with a code that asks to be started anew.
    let status = system.take("host-0").ended().await;
    assert_eq!(status.code(), Some(i32::from(Exit::ABANDONED)));
    system.relaunch("host-0");

    let view = system.state(&job, JobState::Succeeded).await;
    let failure = view.attempts[0].failure.as_ref().expect("the first attempt failed");
    assert_eq!(failure.class, FailureClass::Transient, "{failure}");
    assert!(failure.message.contains("hung"), "{failure}");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mended_is_not_tried_again() {
    let mut system = System::start("permanent", &[]).await;
    let params = StepParams::steps(20).fail(5, 9, How::Fail(FailureClass::Permanent));
    let job = system.submit("job", &params).await;

    let view = system.state(&job, JobState::Dead).await;
    assert_eq!(view.attempts.len(), 1, "{view:#?}");
    let failure = view.failure.expect("a dead job says why");
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("failed on purpose at step 5"), "{failure}");

    let letter = &system.dead_letters(1).await[0];
    assert_eq!(letter.job.job_id, job);
    assert_eq!(letter.failure, failure);
    system.end().await;
}

/// A loss that is no number is bad luck once; twice from the same checkpoint, on another machine too, it is a law.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_that_is_no_number_twice_from_one_checkpoint_ends_the_job() {
    // Time to take the first machine away while the job backs off.
    let backoff = ["initial_delay", "max_delay"].map(|name| format!("workloads.step.retry.{name}"));
    let backoff = backoff.each_ref().map(|name| (name.as_str(), "3s"));
    let mut system = System::start("diverges", &backoff).await;
    let params = StepParams::steps(40).commit_every(10).fail(15, 1, How::Fail(FailureClass::Transient)).fail(
        18,
        9,
        How::Diverge,
    );
    let job = system.submit("job", &params).await;
    system.attempt_ended(&job, 2).await;
    system.take("host-0").shut_down().await;
    system.launch(Program::step_trainer("host-1")).await;

    let view = system.state(&job, JobState::Dead).await;
    let [_, first, second] = &view.attempts[..] else { panic!("{view:#?}") };
    assert_eq!((first.worker.as_str(), second.worker.as_str()), ("host-0", "host-1"));
    assert_eq!((first.resumed_from_step, second.resumed_from_step), (Some(10), Some(10)));
    let text = "no number on purpose at step 18, gone on from step 10";
    let failed = first.failure.as_ref().expect("it diverged");
    assert_eq!((failed.class, failed.message.as_str()), (FailureClass::Transient, text));
    assert_eq!(first.charged_to, Some(Charge::Retries));
    let failure = view.failure.as_ref().expect("a dead job says why");
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.starts_with(&format!("{text} (for the second time from there)")), "{failure}");
    assert_eq!(second.charged_to, Some(Charge::Nothing));

    let letter = &system.dead_letters(1).await[0];
    assert_eq!((&letter.job.job_id, &letter.failure), (&job, failure));
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_none_fail_with_their_name() {
    let mut system = System::start("bad-params", &[]).await;
    let job = system
        .submit_with("job", &StepParams::steps(5), |job| {
            job.params.insert("stepps".into(), 7.into());
        })
        .await;
    let view = system.state(&job, JobState::Dead).await;
    let failure = view.failure.expect("a dead job says why");
    assert!(failure.message.contains("unknown field `stepps`"), "{failure}");
    system.dead_letters(1).await;
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_run_out_and_a_redrive_brings_it_home() {
    let mut system = System::start("redrive", &[]).await;
    let params = StepParams::steps(20).commit_every(5).fail(12, 4, How::Fail(FailureClass::Transient));
    let job = system.submit("job", &params).await;

    let view = system.state(&job, JobState::Dead).await;
    assert_eq!(view.attempts.len(), 4, "one and three retries: {view:#?}");
    assert_eq!(view.ledger.retries, 4.min(view.ledger.retries));
    let waits: Vec<f64> =
        view.attempts.iter().filter_map(|attempt| attempt.backoff.map(|wait| wait.as_f64())).collect();
    assert_eq!(waits.len(), 3, "{waits:?}");
    assert!(waits.is_sorted(), "{waits:?}");
    assert_eq!(system.dead_letters(1).await[0].job.job_id, job);

    system.ask(&RedriveJob::plain(job.clone())).await.unwrap();
    let view = system.until(&job, "succeeded", |view| view.state == JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 5, "{view:#?}");
    assert_eq!(view.attempts[4].resumed_from_step, Some(10), "its checkpoints were kept");
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_runs_out_and_more_money_brings_it_home() {
    let mut system = System::start("budget", &[("gpu.cpu.usd_per_hour", "36")]).await;
    // 0.01 dollars a second, and 4 s of steps: 2 s can be paid for, and the 10.5 s in which it may have to stop.
    let cap = 0.125;
    let job =
        system.submit_with("job", &StepParams::steps(80).of_ms(50), |job| job.total.usd = Some(cap)).await;

    let view = system.state(&job, JobState::Dead).await;
    assert_eq!(view.failure.as_ref().map(|failure| failure.class), Some(FailureClass::Budget), "{view:#?}");
    let one_heartbeat = 0.5 * 0.01;
    assert!(view.ledger.usd <= cap + one_heartbeat, "{view:#?}");
    system.dead_letters(1).await;

    let total = TotalLimits { usd: Some(1.0), ..TotalLimits::default() };
    system.ask(&RedriveJob { total, ..RedriveJob::plain(job.clone()) }).await.unwrap();
    let view = system.until(&job, "succeeded", |view| view.state == JobState::Succeeded).await;
    assert_eq!(view.ledger.steps_repeated, 0, "it checkpointed before it stopped: {view:#?}");
    system.end().await;
}
