//! `rekindle up`: the whole system in one terminal.

mod broker;
mod console;
mod gpus;
mod lock;
mod plan;
mod ready;
mod supervisor;

use std::sync::Arc;

use settings::stop_on_signal;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{
    broker::RunningBroker,
    console::Console,
    lock::DataLock,
    plan::{Plan, Service},
};
use crate::{context::Context, exit::Exit, output::tell};

pub(crate) use gpus::find as find_gpus;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many trainers; without it, one for each GPU, or one on the CPU.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=64))]
    trainers: Option<u32>,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let settings = &context.settings;
    let _lock = DataLock::take(&settings.data.dir)?;
    let stop = stop_on_signal()?;
    let plan = Plan::make(settings, arguments.trainers, &gpus::find().await)?;
    let Some(broker) = stop.run_until_cancelled(RunningBroker::find_or_start(settings)).await else {
        return Ok(Exit::Interrupted);
    };
    let mut broker = broker?;

    let console = Arc::new(Console::on_stderr(settings.telemetry.format, plan.longest_name()));
    let mut stages: Vec<Stage> =
        plan.stages.iter().map(|services| Stage::start(services, &console)).collect();
    let what_runs = broker.describe();
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = any_end(&mut stages) => ended,
        error = ready::announce(&plan, &what_runs, context) => Err(error),
        () = broker.keep_running(&console) => Ok(()),
    };
    tell("stopping: trainers hand back what they run; Ctrl-C again kills everything at once");
    let mut stopped = Ok(());
    while let Some(stage) = stages.pop() {
        stopped = stopped.and(stage.stop().await);
    }
    broker.stop().await;
    ended.and(stopped).map(|()| Exit::Success)
}

/// Services that start and stop together.
struct Stage {
    stop: CancellationToken,
    services: JoinSet<anyhow::Result<()>>,
}

impl Stage {
    fn start(services: &[Service], console: &Arc<Console>) -> Self {
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        for service in services {
            running.spawn(supervisor::keep_running(service.clone(), console.clone(), stop.clone()));
        }
        Self { stop, services: running }
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let mut stopped = Ok(());
        while let Some(service) = self.services.join_next().await {
            stopped = stopped.and(service.map_err(Into::into).flatten());
        }
        stopped
    }
}

/// Waits until a service is over. A service that ends is started again, so this is one that cannot be.
async fn any_end(stages: &mut [Stage]) -> anyhow::Result<()> {
    let ends = stages.iter_mut().filter(|stage| !stage.services.is_empty());
    let ends: Vec<_> = ends.map(|stage| Box::pin(stage.services.join_next())).collect();
    let (ended, ..) = futures::future::select_all(ends).await;
    ended.map_or(Ok(()), |service| service.map_err(Into::into).flatten())
}
