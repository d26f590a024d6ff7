//! Runs that take more host memory than their workload may.

use contract::{Failure, FailureClass, events::RunResult};
use worker::{Control, Exit, Run, RunError};

use crate::{
    trainers::{Scripted, at_step, be_stuck},
    world::{World, job},
};

const LIMIT: (&str, &str) = ("REKINDLE__WORKLOADS__CLASSIFIER__HOST_MEMORY_MIB", "256");

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_hoards_memory_ends_as_oom_and_the_process_goes() {
    let world = World::new().await;
    let trainer = Scripted(|_: &Run, control: &mut dyn Control| {
        control.report(at_step(1));
        // Less than what the kernel would kill for, so that it is the guard that sees it.
        let hoard = vec![1_u8; 320 << 20];
        std::hint::black_box(&hoard);
        be_stuck()
    });
    let worker = world.start_with(trainer, &[LIMIT]);
    let job = job("hoarder");
    world.offer(&job, 1).await;
    let failure = world.failed(&job, 1).await;
    assert_eq!(failure.class, FailureClass::Oom);
    assert!(failure.message.starts_with("host memory: the trainer's process uses "), "{failure}");
    assert!(failure.message.ends_with("MiB, and host_memory_mib of its workload is 256"), "{failure}");
    assert_eq!(worker.gone().await, Exit::Abandoned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_far_too_much_memory_fails_and_harms_no_other_run() {
    let world = World::new().await;
    let trainer = Scripted(|run: &Run, _: &mut dyn Control| {
        let gib = if run.grant.attempt == 1 { 8 } else { 0 };
        // As libtorch says it.
        let refused = |_| Failure::new(FailureClass::Oom, "DefaultCPUAllocator: not enough memory");
        Vec::<u8>::new().try_reserve_exact(gib << 30).map_err(|error| RunError::Failed(refused(error)))?;
        Ok(RunResult::default())
    });
    let worker = world.start_with(trainer, &[LIMIT]);
    let job = job("greedy");
    world.offer(&job, 1).await;
    assert_eq!(world.failed(&job, 1).await.class, FailureClass::Oom);
    world.offer(&job, 2).await;
    world.ended(&job, 2).await;
    assert_eq!(worker.stop().await, Exit::Stopped);
}
