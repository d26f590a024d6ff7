//! The shell around the core: one loop that takes batches of messages, lets the core decide, writes what it decided,
//! and only then acknowledges and tells. No decisions are made here.

mod batch;
mod effects;
mod inbox;
mod leadership;
mod mail;
mod meters;
mod pulse;
mod queries;
mod request;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use broker::{Broker, BrokerOptions, ConnectError, settle_all};
use contract::{JobId, Month, SweepId, Timestamp};
use settings::Settings;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use self::{
    batch::Batch,
    inbox::{Inbox, Received},
    mail::Mail,
    meters::Meters,
    pulse::Pulse,
};
use crate::{
    core::{Core, Reach, Rules},
    store::{Changes, Saved, Store},
};

/// How often the core is told that time has passed.
const TICK: Duration = Duration::from_millis(250);
/// How long to wait before the database is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Leads until `stop`: admits jobs, offers them, judges claims and reports, answers questions. Waits first while
/// another scheduler on the same database leads.
///
/// # Errors
/// When the database or the broker cannot be used.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let Some(_leadership) = leadership::take(&settings.scheduler.database, &stop).await? else {
        return Ok(());
    };
    let database = &settings.scheduler.database;
    let store = Store::open(database).await;
    let store = store.with_context(|| format!("cannot open the database {}", database.display()))?;
    let saved = store.load().await.context("cannot read the database")?;
    let month = Month::of(Timestamp::now());
    let spent = store.spent(month).await.context("cannot read the database")?;
    let options = BrokerOptions {
        url: settings.broker_url(),
        heartbeat: settings.broker.heartbeat.to_duration(),
        name: "scheduler".into(),
    };
    let broker = match Broker::connect(options, &stop).await {
        Err(ConnectError::Closed) => return Ok(()),
        broker => broker?,
    };
    let inbox = Inbox::open(&broker).await?;
    info!(jobs = saved.jobs.len(), workers = saved.workers.len(), unsent = saved.letters.len(), "ready");

    let mut service = Service::new(rules(&settings), saved, store, broker.clone()).await;
    service.core.recall_spending(month, spent);
    let served = service.serve(inbox, &stop).await;
    service.close().await;
    broker.close().await;
    served
}

pub(crate) fn rules(settings: &Settings) -> Rules {
    let scheduler = &settings.scheduler;
    Rules {
        workloads: settings.workloads.clone(),
        prices: settings.gpu.clone(),
        owners: settings.owners.clone(),
        priority_worth: scheduler.priority_worth,
        heartbeat: scheduler.heartbeat,
        lease: scheduler.lease,
        grace: scheduler.grace,
        checkpoint_interval: scheduler.checkpoint_interval,
        hang_limit: scheduler.hang_limit,
        claim_timeout: scheduler.claim_timeout,
        least_run: scheduler.least_run,
    }
}

struct Service {
    core: Core,
    store: Store,
    broker: Broker,
    mail: Mail,
    pulse: Pulse,
    meters: Meters,
}

impl Service {
    async fn new(rules: Rules, saved: Saved, store: Store, broker: Broker) -> Self {
        let mail = Mail::start(broker.clone(), saved.letters).await;
        let pulse = Pulse::start(broker.clone(), rules.lease);
        let mut core = Core::new(rules, saved.jobs, saved.workers, Timestamp::now());
        saved.succeeded.iter().for_each(|job| core.learn(job));
        saved.sweeps.into_iter().for_each(|sweep| core.recall_sweep(sweep));
        Self { core, store, broker, mail, pulse, meters: Meters::new() }
    }

    async fn serve(&mut self, mut inbox: Inbox, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (received, is_tick) = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // What was said before the tick is heard before it.
                _ = ticks.tick() => (inbox.take(), true),
                received = inbox.wait() => (received.context("the line to the broker was closed")?, false),
            };
            let reach = is_tick.then(|| self.reach(&received));
            if !self.handle(received, reach, stop).await? {
                break;
            }
        }
        inbox.close().await;
        Ok(())
    }

    fn reach(&self, received: &Received) -> Reach {
        if !*self.broker.online().borrow() || !self.pulse.is_felt() {
            Reach::Offline
        } else if received.is_full() {
            Reach::Behind
        } else {
            Reach::CaughtUp
        }
    }

    /// Takes a batch from reading to acknowledging. `false` when the service is stopped while the database cannot be
    /// written or the broker takes nothing; then nothing was acknowledged, and everything comes again.
    async fn handle(
        &mut self,
        received: Received,
        reach: Option<Reach>,
        stop: &CancellationToken,
    ) -> anyhow::Result<bool> {
        let began = Instant::now();
        let mut batch = Batch::read(received);
        self.recall(batch.job_ids(), batch.sweep_ids()).await?;
        let now = Timestamp::now();
        batch.step(&mut self.core, now, &self.meters);
        if let Some(reach) = reach {
            batch.tick(&mut self.core, reach, now, &self.meters);
            self.meters.census(self.core.census());
        }

        let mut changes = batch.changes(&self.core, &mut self.mail);
        if changes.is_urgent() || reach.is_some() {
            changes.sent = self.mail.take_confirmed();
        }
        if changes.is_urgent() || !changes.sent.is_empty() {
            let changes = Arc::new(changes);
            if !self.commit(changes.clone(), stop).await {
                return Ok(false);
            }
            let letters = Arc::into_inner(changes).map(|changes| changes.letters).unwrap_or_default();
            // Letters that do not get through are in the outbox, and the messages come again.
            if stop.run_until_cancelled(self.mail.send(letters)).await.is_none() {
                return Ok(false);
            }
        }
        let mut replies = batch.take_replies();
        replies.extend(queries::answers(&self.store, &self.core, batch.take_queries()).await);
        if stop.run_until_cancelled(self.mail.reply(replies)).await.is_none() {
            return Ok(false);
        }
        self.core.retire();
        let settled = batch.into_settled();
        if !settled.is_empty() {
            self.meters.batch(settled.len(), began.elapsed());
        }
        settle_all(settled).await;
        Ok(true)
    }

    /// Brings into memory the jobs and sweeps that a batch names and that have ended. A trial brings its sweep along.
    async fn recall(&mut self, mut ids: Vec<JobId>, mut sweeps: Vec<SweepId>) -> anyhow::Result<()> {
        ids.retain(|id| self.core.job(id).is_none());
        if !ids.is_empty() {
            ids.sort_unstable();
            ids.dedup();
            let recalled = self.store.recall(ids).await.context("cannot read the database")?;
            let trials = recalled.jobs.iter().filter_map(|job| job.trial.as_ref());
            sweeps.extend(trials.map(|trial| trial.sweep.clone()));
            recalled.jobs.into_iter().for_each(|job| self.core.recall(job));
            recalled.removed.into_iter().for_each(|id| self.core.recall_removed(id));
        }
        sweeps.retain(|id| self.core.sweep(id).is_none());
        if !sweeps.is_empty() {
            sweeps.sort_unstable();
            sweeps.dedup();
            for sweep in self.store.recall_sweeps(sweeps).await.context("cannot read the database")? {
                self.core.recall_sweep(sweep);
            }
        }
        Ok(())
    }

    /// Writes, for as long as it takes: a full disk stops everything and loses nothing.
    async fn commit(&self, changes: Arc<Changes>, stop: &CancellationToken) -> bool {
        let mut failing = false;
        loop {
            match self.store.commit(changes.clone()).await {
                Ok(()) => {
                    if failing {
                        info!("the database can be written again");
                    }
                    return true;
                }
                Err(error) if !failing => {
                    failing = true;
                    error!(
                        error = &error as &dyn std::error::Error,
                        "cannot write the database; trying until it works"
                    );
                }
                Err(_) => {}
            }
            if stop.run_until_cancelled(sleep(STORE_RETRY)).await.is_none() {
                return false;
            }
        }
    }

    /// Lets what was said reach the broker, and notes what has.
    async fn close(self) {
        let confirmed = self.mail.close().await;
        if !confirmed.is_empty() {
            let changes = Changes { sent: confirmed, ..Changes::default() };
            if let Err(error) = self.store.commit(Arc::new(changes)).await {
                error!(error = &error as &dyn std::error::Error, "some messages will be sent again");
            }
        }
    }
}
