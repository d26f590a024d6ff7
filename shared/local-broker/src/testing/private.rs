//! A node of a test's own.

use tempfile::TempDir;

use crate::LocalBroker;

/// A node that one test may kill and start again. It goes, with its data, when this is dropped.
#[derive(Debug)]
pub struct PrivateBroker {
    /// The node.
    pub node: LocalBroker,
    _folder: TempDir,
}

impl PrivateBroker {
    /// Starts one, which takes some seconds.
    ///
    /// # Errors
    /// When RabbitMQ is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("rekindle-broker-")?;
        Ok(Self { node: LocalBroker::start(folder.path()).await?, _folder: folder })
    }
}
