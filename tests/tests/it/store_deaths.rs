//! The checkpoint-store dies while it commits; a history never holds what does not verify.

use std::time::Duration;

use contract::control::JobState;
use system_tests::{STORE, StepParams, System};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_commits() {
    let mut system = System::start("store-killed", &[]).await;
    // A checkpoint after every step, so that whenever it dies, it dies in a commit.
    let job = system.submit("job", &StepParams::steps(150).of_ms(20).checkpoint_every(1)).await;
    system.state(&job, JobState::Running).await;

    for round in 0..15u64 {
        sleep(Duration::from_millis(100 + round * 13 % 60)).await;
        system.restart(STORE).await;
    }

    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 1, "a store that comes back costs no attempt: {view:#?}");
    assert_eq!(system.damage(&job).await, Vec::<String>::new());
    system.end().await;
}
