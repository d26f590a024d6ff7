//! A node of a test's own.

use tempfile::TempDir;

use crate::{LocalBroker, testing::watchdog};

/// A node that one test may kill and start again. It goes, with its data, when this is dropped; when the test is
/// killed, it goes too.
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
        let node = LocalBroker::start(folder.path()).await?;
        watchdog::start(&folder.path().join("owner.lock"), node.address().process_group, 1)?;
        Ok(Self { node, _folder: folder })
    }
}
