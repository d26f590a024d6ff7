//! What an owner may spend in a month, while those who count it die.

use std::time::Duration;

use contract::{
    JobId, SubmitJob,
    control::{CostGroup, GetCost, JobState, JobView, ListOwners, OwnerView, WaitReason},
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use system_tests::{Program, SCHEDULER, StepParams, System, wait_for};
use tokio::time::sleep;

/// What a second costs, and so much every attempt has reserved besides its work: 2 s to stop, and a heartbeat.
const USD_PER_SECOND: f64 = 0.01;
const HEARTBEAT_USD: f64 = 0.5 * USD_PER_SECOND;
/// 20 s, where both jobs together need 24.
const CAP: f64 = 0.2;
const STRIKES: usize = 10;
/// The scheduler dies as often as both trainers together.
const TARGETS: [&str; 4] = [SCHEDULER, SCHEDULER, "host-0", "host-1"];

const SETTINGS: [(&str, &str); 6] = [
    ("gpu.cpu.usd_per_hour", "36"),
    ("scheduler.grace", "2s"),
    ("workloads.step.slots", "1"),
    ("workloads.step.retry.max_losses", "1000"),
    ("workloads.step.retry.max_retries", "1000"),
    ("owners.ada.monthly_usd", "0.2"),
];

/// `REKINDLE_CAP_SEED` repeats the strikes of a run that failed.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_spent_though_scheduler_and_trainers_die_and_a_higher_cap_goes_on() {
    let given = std::env::var("REKINDLE_CAP_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a seed is a number"));
    eprintln!("REKINDLE_CAP_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let mut system = System::bare("monthly-cap", &SETTINGS).await;
    system.launch_all(["host-0", "host-1"].map(Program::step_trainer)).await;
    let mut jobs = Vec::new();
    for seed in 0..2 {
        let params = StepParams { seed, ..StepParams::steps(240) }.of_ms(50).checkpoint_every(5);
        let change = |job: &mut SubmitJob| {
            job.owner = "ada".into();
            job.timeout = Some("6s".parse().unwrap());
        };
        jobs.push(system.submit_with(&format!("job-{seed}"), &params, change).await);
    }
    for _ in 0..STRIKES {
        sleep(Duration::from_millis(random.random_range(200..900))).await;
        let target = TARGETS.choose(&mut random).expect("there are targets");
        system.restart(target).await;
        let ada = ada(&system).await;
        assert!(ada.spent_usd <= CAP + HEARTBEAT_USD, "{ada:#?}");
    }

    let waiting = all_wait_for_money_or_have_ended(&system, &jobs).await;
    let ada = ada(&system).await;
    assert!(ada.spent_usd <= CAP + HEARTBEAT_USD, "{ada:#?}");
    check_bill(&system, &jobs).await;
    let view = waiting.first().expect("the money does not suffice for both");
    let text = view.waiting_for.as_deref().expect("it says what it waits for");
    assert!(text.contains("owner ada has ") && text.contains(" of 0.2 USD left for "), "{text}");
    assert!(text.contains("when the cap is raised"), "{text}");

    system.kill(SCHEDULER).await;
    let raised: Vec<_> = SETTINGS.into_iter().chain([("owners.ada.monthly_usd", "5")]).collect();
    system.configure(&raised);
    system.relaunch(SCHEDULER);
    for job in &jobs {
        system.state(job, JobState::Succeeded).await;
    }
    check_bill(&system, &jobs).await;
    system.end().await;
}

async fn ada(system: &System) -> OwnerView {
    let list = system.ask(&ListOwners {}).await.expect("owners can be listed");
    list.owners.into_iter().find(|owner| owner.owner == "ada").expect("the settings name ada")
}

/// Waits until nothing runs or is reserved any more; the jobs that wait for money.
async fn all_wait_for_money_or_have_ended(system: &System, jobs: &[JobId]) -> Vec<JobView> {
    wait_for("every job to have ended or to wait for money", async || {
        let mut waiting = Vec::new();
        for job in jobs {
            let view = system.view(job).await;
            if view.state.is_end() {
                continue;
            }
            if view.waiting.as_ref()?.reason != WaitReason::Money {
                return None;
            }
            waiting.push(view);
        }
        let ada = ada(system).await;
        (ada.reserved_usd <= 0.0 && ada.waiting as usize == waiting.len()).then_some(waiting)
    })
    .await
}

/// The owner's month, the jobs' ledgers and their attempts are the same money.
async fn check_bill(system: &System, jobs: &[JobId]) {
    let (mut ledgers, mut attempts) = (0.0, 0.0);
    for job in jobs {
        let view = system.view(job).await;
        ledgers += view.ledger.usd;
        attempts += view.attempts.iter().map(|attempt| attempt.usd).sum::<f64>();
    }
    let month = ada(system).await.spent_usd;
    let cost = system.ask(&GetCost { by: CostGroup::Owner, ..GetCost::default() }).await.unwrap();
    for (what, usd) in [("attempts", attempts), ("month", month), ("cost", cost.total.usd)] {
        assert!((usd - ledgers).abs() < 1e-6, "{what}: {usd}, and the ledgers say {ledgers}");
    }
}
