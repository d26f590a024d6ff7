//! Which class and tier an attempt runs on, and when another one is chosen.

use contract::{ClassVerdict, FailureClass, GpuClass, SpotUse, Tier, control::JobState, events::JobWarned};
use system_tests::{Hold, How, Program, StepParams, System, submission};

#[tokio::test(flavor = "multi_thread")]
async fn out_of_memory_goes_on_with_more_of_it() {
    let mut system = System::start("out-of-memory", &[]).await;
    system.launch(Program::step_trainer("host-1").on("large")).await;
    system.workers(2).await;
    let params = StepParams::steps(20).commit_every(5).fail(12, 1, How::Fail(FailureClass::Oom));
    let job = system
        .submit_with("job", &params, |job| {
            job.resources.gpu = ["cpu", "large"].map(|class| GpuClass::new(class).unwrap()).into();
        })
        .await;

    let view = system.state(&job, JobState::Succeeded).await;
    let classes: Vec<&str> = view.attempts.iter().map(|attempt| attempt.gpu.as_str()).collect();
    assert_eq!(classes, ["cpu", "large"], "{view:#?}");
    assert_eq!(view.attempts[1].resumed_from_step, Some(10));
    assert_eq!(view.ledger.retries, 1);
    system.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheaper_tier_is_taken_where_it_will_do() {
    let mut system = System::start("spot", &[]).await;
    system.launch(Program::step_trainer("host-1").on_spot()).await;
    system.workers(2).await;
    let allowed =
        system.submit_with("allowed", &StepParams::steps(5), |job| job.resources.spot = SpotUse::Allow).await;
    let never = system.submit("never", &StepParams::steps(5)).await;

    let view = system.state(&allowed, JobState::Succeeded).await;
    assert_eq!((view.attempts[0].tier, view.attempts[0].worker.as_str()), (Tier::Spot, "host-1"));
    let view = system.state(&never, JobState::Succeeded).await;
    assert_eq!((view.attempts[0].tier, view.attempts[0].worker.as_str()), (Tier::OnDemand, "host-0"));
    system.end().await;
}

/// Three spot machines in a row are taken away before the job gets anywhere: it stays on demand from then on.
#[tokio::test(flavor = "multi_thread")]
async fn spot_machines_that_come_to_nothing_are_given_up() {
    let mut system = System::start("fruitless-spot", &[]).await;
    for host in ["host-1", "host-2"] {
        system.launch(Program::step_trainer(host).on_spot()).await;
    }
    system.workers(3).await;
    let holds = system.holds();
    let hold = |attempt| Hold::at_step(&holds, 0).of_attempt(attempt);
    let params = (1..=3).fold(StepParams::steps(20), |params, attempt| params.hold(&hold(attempt)));
    let job = system.submit_with("job", &params, |job| job.resources.spot = SpotUse::Allow).await;
    for attempt in 1..=3 {
        hold(attempt).reached().await;
        let view = system.view(&job).await;
        let running = view.attempts.last().expect("it runs");
        assert_eq!((running.attempt, running.tier), (attempt, Tier::Spot));
        let host = running.worker.to_string();
        system.take(&host).shut_down().await;
        system.relaunch(&host);
        system.workers(3).await;
    }

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 4, "{view:#?}");
    assert_eq!(view.attempts[3].tier, Tier::OnDemand);
    system.end().await;
}

/// A job waits while nobody offers its class, says what for, and runs as soon as somebody does.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_nobody_offers_is_waited_for() {
    let mut system = System::start("no-such-class", &[]).await;
    let job = system
        .submit_with("job", &StepParams::steps(5), |job| {
            job.resources.gpu = vec![GpuClass::new("large").unwrap()];
        })
        .await;
    let mut again = submission("job", &StepParams::steps(5));
    again.resources.gpu = vec![GpuClass::new("large").unwrap()];
    let accepted = system.ask(&again).await.expect("it is the same job");
    assert_eq!(
        accepted.estimate.warnings,
        ["no worker offers large at present; the job waits until one does"]
    );
    let view = system.until(&job, "waiting", |view| view.waiting_for.is_some()).await;
    assert!(view.waiting_for.as_ref().is_some_and(|what| what.contains("large")), "{view:#?}");

    system.launch(Program::step_trainer("host-1").on("large")).await;
    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts[0].worker.as_str(), "host-1");
    system.end().await;
}

/// A busy class does not hold an attempt for ever: after the claim timeout the next one gets it, and the message that
/// still lies before the first is refused when it is taken.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_nobody_claims_goes_to_the_next_class() {
    let changes = [("scheduler.claim_timeout", "1s"), ("workloads.step.slots", "1")];
    let mut system = System::start("unclaimed", &changes).await;
    let hold = Hold::at_step(&system.holds(), 5);
    let busy = system.submit("busy", &StepParams::steps(10).hold(&hold)).await;
    hold.reached().await;
    system.launch(Program::step_trainer("host-1").on("large")).await;
    system.workers(2).await;

    let job = system
        .submit_with("job", &StepParams::steps(5), |job| {
            job.resources.gpu = ["cpu", "large"].map(|class| GpuClass::new(class).unwrap()).into();
        })
        .await;
    let warned = system.events.first(|event: &JobWarned| event.job_id == job).await;
    assert_eq!(warned.warning, "no worker that offers cpu claimed it within 1s; it is offered to large");
    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!((view.attempts.len(), view.attempts[0].worker.as_str()), (1, "host-1"), "{view:#?}");
    let verdicts: Vec<ClassVerdict> = view.considered.iter().map(|class| class.verdict).collect();
    assert_eq!(verdicts, [ClassVerdict::Unclaimed, ClassVerdict::Taken], "{view:#?}");

    hold.release();
    system.state(&busy, JobState::Succeeded).await;
    system.log_line("host-0", "job has ended: succeeded").await;
    assert_eq!(system.view(&job).await.attempts.len(), 1);
    system.end().await;
}

/// A trainer that goes away while others offer the same class hands its run to one of them at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_preempted_run_moves_to_another_worker() {
    let mut system = System::start("moves", &[]).await;
    let hold = Hold::at_step(&system.holds(), 25);
    let params = StepParams::steps(40).commit_every(10).hold(&hold);
    let job = system.submit("job", &params).await;
    hold.reached().await;
    system.launch(Program::step_trainer("host-1")).await;
    system.workers(2).await;

    system.take("host-0").shut_down().await;
    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts[1].worker.as_str(), "host-1", "{view:#?}");
    assert_eq!(view.attempts[1].resumed_from_step, Some(25));
    system.end().await;
}
