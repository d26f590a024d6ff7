//! The broker that the system runs on: a private one, kept running, or whatever answers at the address that is set.

use std::time::Duration;

use anyhow::Context;
use local_broker::LocalBroker;
use settings::Settings;
use tokio::time::{interval, sleep};

use super::console::Console;
use crate::{
    client::{Client, without_password},
    output::tell,
};

/// How often a private broker is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How long to wait when it cannot be started again.
const PAUSE: Duration = Duration::from_secs(5);

/// A broker that answers.
#[derive(Debug)]
pub(crate) struct RunningBroker {
    /// Host, port and virtual host.
    pub(crate) address: String,
    private: Option<LocalBroker>,
}

impl RunningBroker {
    /// The broker at `broker.url`, which must answer; else a private one below `data.dir`.
    pub(crate) async fn find_or_start(settings: &Settings) -> anyhow::Result<Self> {
        let private = match settings.broker.url {
            Some(_) => {
                Client::connect(settings).await?;
                None
            }
            None => {
                let folder = settings.private_broker_folder();
                tell(&format!("starting a private RabbitMQ in {}", folder.display()));
                Some(LocalBroker::start(&folder).await.context("there is no broker")?)
            }
        };
        let url = settings.broker_url();
        Ok(Self { address: without_password(&url).to_owned(), private })
    }

    /// What it is and where it answers, for people.
    pub(crate) fn describe(&self) -> String {
        match self.private {
            Some(_) => format!("private RabbitMQ at {}", self.address),
            None => format!("RabbitMQ at {}", self.address),
        }
    }

    /// Starts a private broker again whenever it ends. Does not return.
    pub(crate) async fn keep_running(&mut self, console: &Console) {
        let Some(broker) = &mut self.private else { return std::future::pending().await };
        let mut look = interval(LOOK_INTERVAL);
        loop {
            look.tick().await;
            if broker.is_running() {
                continue;
            }
            console.say("broker", "ended; starting it again");
            match broker.restart().await {
                Ok(()) => console.say("broker", "answers again"),
                Err(error) => {
                    console.say("broker", &format!("{:#}; trying again", anyhow::Error::from(error)));
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Stops a private broker; any other one is somebody else's.
    pub(crate) async fn stop(self) {
        if let Some(broker) = self.private {
            broker.stop().await;
        }
    }
}
