//! A trainer that says what the contract says, and does no work.

use anyhow::Context;
use broker::{Broker, Consumer, Delivery, Disposition, Outgoing};
use contract::{
    Failure, GpuClass, Incarnation, JobId, Tier, Timestamp, WorkerId,
    events::{AttemptEnd, AttemptEnded, AttemptStarted, RunResult},
    lease::{
        Claim, ClaimAnswer, Grant, Heartbeat, HeartbeatAnswer, Hello, OfferAttempt, Progress, RunReport,
        Welcome,
    },
    names::work_queue,
};
use tokio::time::timeout;

use crate::world::PATIENCE;

pub(crate) struct Trainer {
    broker: Broker,
    pub(crate) hello: Hello,
    offers: Consumer,
}

impl Trainer {
    /// Introduces itself and listens to its queue.
    pub(crate) async fn start(broker: &Broker, name: &str, gpu: &str, slots: u32) -> anyhow::Result<Self> {
        let gpu: GpuClass = gpu.parse()?;
        let hello = Hello {
            worker: name.parse()?,
            incarnation: Incarnation::generate(),
            workload: "classifier".parse()?,
            gpu: gpu.clone(),
            tier: Tier::OnDemand,
            slots,
            memory_mib: None,
            host: "test".into(),
            pid: 1,
            release: "0".into(),
            paused: None,
        };
        let _: Welcome = broker.request(&hello, PATIENCE).await?;
        let queue = work_queue(&hello.workload, &gpu, hello.tier);
        broker.ensure_work_queue(&queue).await?;
        let offers = broker.consume(&queue, slots as u16).await?;
        Ok(Self { broker: broker.clone(), hello, offers })
    }

    /// Waits for an offer.
    pub(crate) async fn take(&mut self) -> anyhow::Result<(OfferAttempt, Delivery)> {
        let delivery = timeout(PATIENCE, self.offers.next()).await.context("an offer")?;
        let delivery = delivery.context("the line is open")?;
        Ok((delivery.decode()?, delivery))
    }

    pub(crate) async fn claim(&self, offer: &OfferAttempt, redelivered: bool) -> anyhow::Result<ClaimAnswer> {
        let claim = Claim {
            job_id: offer.job_id.clone(),
            attempt: offer.attempt,
            redelivered,
            worker: self.hello.worker.clone(),
            incarnation: self.hello.incarnation,
        };
        Ok(self.broker.request(&claim, PATIENCE).await?)
    }

    /// Takes offers until one is granted.
    pub(crate) async fn lease(&mut self) -> anyhow::Result<Grant> {
        loop {
            let (offer, delivery) = self.take().await?;
            let answer = self.claim(&offer, delivery.redelivered).await?;
            delivery.settle(Disposition::Ack).await;
            if let ClaimAnswer::Granted(grant) = answer {
                return Ok(grant);
            }
        }
    }

    pub(crate) async fn start_run(&self, grant: &Grant, resumed_from_step: u64) -> anyhow::Result<()> {
        let started = AttemptStarted {
            job_id: grant.job_id.clone(),
            attempt: grant.attempt,
            worker: self.hello.worker.clone(),
            resumed_from_step,
            damaged: Vec::new(),
            at: Timestamp::now(),
        };
        Ok(self.broker.publish(Outgoing::event(&started)).await?)
    }

    pub(crate) async fn beat(&self, runs: &[(&Grant, u64)]) -> anyhow::Result<HeartbeatAnswer> {
        let report = |(grant, step): &(&Grant, u64)| RunReport {
            job_id: grant.job_id.clone(),
            attempt: grant.attempt,
            progress: Progress { step: *step, ..Progress::default() },
        };
        let heartbeat = Heartbeat {
            worker: self.hello.worker.clone(),
            incarnation: self.hello.incarnation,
            runs: runs.iter().map(report).collect(),
        };
        Ok(self.broker.request(&heartbeat, PATIENCE).await?)
    }

    pub(crate) async fn end(&self, grant: &Grant, step: u64, end: AttemptEnd) -> anyhow::Result<()> {
        let ended = ended(&self.hello, &grant.job_id, grant.attempt, step, end);
        Ok(self.broker.publish(Outgoing::event(&ended)).await?)
    }

    /// Takes offers and does each at once, for ever.
    pub(crate) async fn work(mut self) -> anyhow::Result<()> {
        loop {
            let grant = self.lease().await?;
            self.start_run(&grant, 0).await?;
            self.end(&grant, 1, succeeded()).await?;
        }
    }

    pub(crate) fn worker(&self) -> WorkerId {
        self.hello.worker.clone()
    }
}

pub(crate) fn ended(hello: &Hello, job_id: &JobId, attempt: u32, step: u64, end: AttemptEnd) -> AttemptEnded {
    AttemptEnded {
        job_id: job_id.clone(),
        attempt,
        worker: hello.worker.clone(),
        incarnation: hello.incarnation,
        end,
        progress: Progress { step, ..Progress::default() },
        resumed_from_step: 0,
        at: Timestamp::now(),
    }
}

pub(crate) fn succeeded() -> AttemptEnd {
    AttemptEnd::Succeeded(RunResult::default())
}

pub(crate) fn transient(message: &str) -> AttemptEnd {
    AttemptEnd::Failed(Failure::transient(message))
}
