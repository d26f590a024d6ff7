//! Hearing what trainers ask the scheduler for, whether it listens or not.

use broker::{Consumer, Disposition};
use contract::{
    JobId,
    lease::Claim,
    names::{REQUESTS_EXCHANGE, SCHEDULER_KEY},
};
use tokio::time::timeout;

use crate::{System, wait::LIMIT};

const QUEUE: &str = "copies.claims";

/// A copy of every question to the scheduler from now on. What has come here has been put in the scheduler's queue too.
#[derive(Debug)]
pub struct Claims(Consumer);

impl Claims {
    /// Listens from now on.
    pub async fn listen(system: &System) -> Self {
        let (management, vhost) = (system.home().management(), system.home().vhost());
        management.create_queue(vhost, QUEUE).await.expect("a queue of copies can be made");
        management.bind(vhost, REQUESTS_EXCHANGE, SCHEDULER_KEY, QUEUE).await.expect("it can be bound");
        Self(system.broker.consume(QUEUE, 100).await.expect("the queue of copies can be read"))
    }

    /// Waits until a trainer has claimed an attempt of this job, and stops listening.
    pub async fn heard(mut self, system: &System, job: &JobId) {
        let claimed = timeout(LIMIT, async {
            while let Some(delivery) = self.0.next().await {
                let claim = delivery.decode::<Claim>();
                delivery.settle(Disposition::Ack).await;
                if claim.is_ok_and(|claim| claim.job_id == *job) {
                    return true;
                }
            }
            false
        });
        assert_eq!(claimed.await, Ok(true), "waited {} s for a claim of {job}", LIMIT.as_secs());
        drop(self.0);
        let management = system.home().management();
        management.delete_queue(system.home().vhost(), QUEUE).await.expect("a queue of copies can go");
    }
}
