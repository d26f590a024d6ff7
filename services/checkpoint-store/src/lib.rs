//! The only writer of checkpoint histories. Trainers put bytes into the object store themselves and ask this service,
//! by request and reply, to make them part of a job's history: it reads them, checks the attempt's token and writes
//! the log. Any number of replicas may run; the log decides between them.

mod answer;
mod meters;
mod request;
mod service;
mod sweep;

use broker::{Broker, BrokerOptions, ConnectError};
use checkpoints::ObjectStore;
use settings::Settings;
use tokio_util::sync::CancellationToken;
use tracing::info;

use service::Service;

/// Answers requests about checkpoints until `stop`; those that are being answered then are answered first.
///
/// # Errors
/// When the object store or the broker cannot be used as the settings say.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let store = ObjectStore::open(&settings.checkpoints.url, &settings.data.dir.join("scratch"))?;
    let options = BrokerOptions {
        url: settings.broker_url(),
        heartbeat: settings.broker.heartbeat.to_duration(),
        name: "checkpoint-store".into(),
    };
    let broker = match Broker::connect(options, &stop).await {
        Err(ConnectError::Closed) => return Ok(()),
        broker => broker?,
    };
    info!(store = settings.checkpoints.url, "ready for requests");

    let served = Service::new(store, broker.clone(), &settings.checkpoints).serve(&stop).await;
    broker.close().await;
    served
}
