//! One worker's process runs as many attempts at once as its workload says.

use contract::control::{JobState, JobView, ListWorkers, WaitReason};
use system_tests::{Hold, StepParams, System};

#[tokio::test(flavor = "multi_thread")]
async fn two_slots_run_two_jobs_at_once_and_no_third() {
    let mut system = System::start("two-slots", &[("workloads.step.slots", "2")]).await;
    let holds = [5, 7].map(|step| Hold::at_step(&system.holds(), step));
    let mut running = Vec::new();
    for (seed, hold) in (0..).zip(&holds) {
        let params = StepParams { seed, ..StepParams::steps(20) }.commit_every(5).hold(hold);
        running.push(system.submit(&format!("job-{seed}"), &params).await);
    }
    for (job, hold) in running.iter().zip(&holds) {
        hold.reached().await;
        assert_eq!(system.state(job, JobState::Running).await.attempts[0].worker.as_str(), "host-0");
    }
    let workers = system.ask(&ListWorkers {}).await.unwrap().workers;
    assert_eq!((workers.len(), workers[0].slots, workers[0].running.len()), (1, 2, 2), "{workers:#?}");

    let third = system.submit("third", &StepParams::steps(5)).await;
    let is_waiting = |view: &JobView| {
        let reason = view.waiting.as_ref().map(|waiting| waiting.reason);
        matches!(reason, Some(WaitReason::Slots | WaitReason::Claim))
    };
    system.until(&third, "waiting for a slot", is_waiting).await;
    // One that ends makes room for it; the other one still stands where it stood.
    holds[0].release();
    system.state(&running[0], JobState::Succeeded).await;
    system.state(&third, JobState::Succeeded).await;
    assert_eq!(system.view(&running[1]).await.state, JobState::Running);
    holds[1].release();

    for job in running.iter().chain([&third]) {
        let view = system.state(job, JobState::Succeeded).await;
        assert_eq!((view.attempts.len(), view.ledger.steps_repeated), (1, 0), "{view:#?}");
    }
    system.end().await;
}
