//! A cloud announces that it takes a machine away while a job runs there.

use contract::{
    FailureClass, SpotUse, Tier, Timestamp,
    control::{Charge, CostGroup, GetCost, JobState},
};
use local_cloud::{Cloud, Fate, Kind};
use system_tests::{Hold, Program, StepParams, System};

/// Half of the price is saved on spot machines here, so that what an attempt there saved is what it cost.
const PRICES: [(&str, &str); 2] = [("gpu.cpu.usd_per_hour", "36"), ("gpu.cpu.spot_usd_per_hour", "18")];

/// How long the system's trainers have to stop, and how long it may take until EC2 is asked again.
const GRACE_MS: u64 = 10_000;
const LOOK_MS: u64 = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_ec2_announces_to_take_away_hands_its_run_to_another() {
    let cloud = Cloud::start(Kind::Aws, Fate::Stays).await;
    let mut system = System::bare("spot-notice", &PRICES).await;
    let spot = Program::step_trainer("host-0")
        .on_spot()
        .with("REKINDLE__WORKER__SPOT_NOTICE", Kind::Aws.as_str())
        .with("REKINDLE__WORKER__SPOT_NOTICE_URL", &cloud.url);
    system.launch_all([spot, Program::step_trainer("host-1")]).await;
    system.workers(2).await;
    let hold = Hold::at_step(&system.holds(), 25);
    let params = StepParams::steps(40).commit_every(10).hold(&hold);
    let job = system.submit_with("job", &params, |job| job.resources.spot = SpotUse::Allow).await;
    hold.reached().await;

    let announced = Timestamp::now();
    cloud.decide(Fate::Goes);
    let status = system.take("host-0").ended().await;
    assert!(status.success(), "everything was handed back: {status}");
    let view = system.state(&job, JobState::Succeeded).await;

    let [first, second] = &view.attempts[..] else { panic!("{view:#?}") };
    assert_eq!((first.tier, first.worker.as_str()), (Tier::Spot, "host-0"));
    let failure = first.failure.as_ref().expect("it was taken away");
    assert_eq!(failure.class, FailureClass::Preempted);
    let notice = "EC2 has announced for 2026-09-18T08:22:00Z: terminate this machine";
    assert_eq!(failure.message, format!("{notice}: the worker was told to stop"));
    assert_eq!(first.charged_to, Some(Charge::Preemptions));
    let took = first.ended_at.expect("it has ended").0 - announced.0;
    assert!(took <= LOOK_MS + GRACE_MS, "it stopped {took} ms after the notice");

    assert_eq!((second.tier, second.worker.as_str()), (Tier::OnDemand, "host-1"));
    assert_eq!((first.progress.checkpoint_step, second.resumed_from_step), (Some(25), Some(25)));
    let ledger = view.ledger;
    assert_eq!((ledger.steps_repeated, ledger.retries, ledger.preemptions), (0, 0, 1), "{view:#?}");
    assert_eq!(ledger.backing_off.as_f64(), 0.0, "it was queued again at once: {view:#?}");

    assert!(0.0 < first.usd);
    assert_same("what the ledger says was saved", ledger.saved_usd, first.usd);
    let cost = system.ask(&GetCost { by: CostGroup::Class, ..GetCost::default() }).await.unwrap();
    assert_eq!(cost.lines.len(), 2, "{cost:#?}");
    for line in &cost.lines {
        let (usd, saved) = if line.tier == Tier::Spot { (first.usd, first.usd) } else { (second.usd, 0.0) };
        assert_same("what a tier cost", line.sum.usd, usd);
        assert_same("what a tier saved", line.sum.saved_usd, saved);
    }
    assert_same("what was saved in all", cost.total.saved_usd, first.usd);
    assert_eq!(cloud.faults(), Vec::<String>::new());

    // The attempt was offered to spot machines first, of which there was none any more: the next one finds it taken.
    cloud.decide(Fate::Stays);
    system.relaunch("host-0");
    system.log_line("host-0", "job has ended: succeeded").await;
    system.end().await;
}

fn assert_same(what: &str, left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{what}: {left} and {right}");
}
