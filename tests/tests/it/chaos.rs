//! Everything at once, at random: whatever dies, pauses or is cut off, every job ends once and right.

use std::time::Duration;

use contract::{FailureClass, control::JobState};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use system_tests::{How, Program, SCHEDULER, STORE, StepParams, System, submission};
use tokio::time::sleep;

const JOBS: u64 = 12;
const STRIKES: usize = 60;
const TARGETS: [&str; 5] = [SCHEDULER, "scheduler-2", STORE, "host-0", "host-1"];

/// `REKINDLE_CHAOS_SEED` repeats the strikes of a run that failed.
#[tokio::test(flavor = "multi_thread")]
async fn every_job_ends_once_and_right() {
    let given = std::env::var("REKINDLE_CHAOS_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a seed is a number"));
    eprintln!("REKINDLE_CHAOS_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let mut system = System::bare("chaos", &[("workloads.step.retry.max_losses", "1000")]).await;
    system.launch_all([Program::step_trainer("host-0"), Program::step_trainer("host-1")]).await;
    system.launch(Program::scheduler("scheduler-2")).await;
    let mut jobs = Vec::new();
    for number in 0..JOBS {
        let params = random_job(number, &mut random);
        jobs.push(system.publish(&submission(&format!("job-{number}"), &params)).await);
    }

    for _ in 0..STRIKES {
        strike(&mut system, &mut random).await;
        sleep(Duration::from_millis(random.random_range(10..150))).await;
    }
    for job in &jobs {
        system.state(job, JobState::Succeeded).await;
        assert_eq!(system.damage(job).await, Vec::<String>::new());
    }
    system.end().await;
}

fn random_job(seed: u64, random: &mut StdRng) -> StepParams {
    let steps = random.random_range(20..150);
    let params = StepParams { seed, ..StepParams::steps(steps) }
        .of_ms(random.random_range(1..40))
        .checkpoint_every(random.random_range(1..12));
    match random.random_range(0..4) {
        0 => params.fail(random.random_range(1..steps), 1, How::Fail(FailureClass::Transient)),
        1 => params.fail(random.random_range(1..steps), 1, How::Panic),
        _ => params,
    }
}

async fn strike(system: &mut System, random: &mut StdRng) {
    let target = TARGETS.choose(random).expect("there are targets");
    let a_while = Duration::from_millis(random.random_range(20..400));
    match random.random_range(0..5) {
        0 => {
            system.process(target).pause();
            sleep(a_while).await;
            system.process(target).resume();
        }
        1 => {
            system.line(target).cut();
            sleep(a_while).await;
            system.line(target).restore();
        }
        2 => {
            system.line(target).stall();
            sleep(a_while).await;
            system.line(target).restore();
        }
        3 => {
            system.kill(target).await;
            sleep(a_while).await;
            system.relaunch(target);
        }
        _ => system.restart(target).await,
    }
}
