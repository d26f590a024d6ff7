//! A corner of the shared broker.

use anyhow::Context;
use uuid::Uuid;

use crate::{Management, testing::SharedBroker};

/// A virtual host of one test's own. It goes, with everything in it, when this is dropped.
#[derive(Debug)]
pub struct TestVhost {
    name: String,
    amqp_url: String,
    management: Management,
    _broker: SharedBroker,
}

impl TestVhost {
    /// Creates one on the broker that all tests of the run share.
    ///
    /// # Errors
    /// When there is no such broker and none can be started.
    pub async fn create() -> anyhow::Result<Self> {
        let broker = SharedBroker::get().await.context("no broker for tests")?;
        let name = format!("test-{}", Uuid::new_v4().simple());
        let (server, _) =
            broker.amqp_url.rsplit_once('/').context("an AMQP address ends with a virtual host")?;
        let amqp_url = format!("{server}/{name}");
        let management = Management::new(&broker.management_url);
        management.create_vhost(&name).await?;
        Ok(Self { name, amqp_url, management, _broker: broker })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// AMQP, password included.
    pub fn amqp_url(&self) -> &str {
        &self.amqp_url
    }

    /// The management interface of its broker.
    pub fn management(&self) -> &Management {
        &self.management
    }
}

impl Drop for TestVhost {
    fn drop(&mut self) {
        if let Err(error) = self.management.delete_vhost_blocking(&self.name) {
            tracing::warn!(%error, vhost = self.name, "a test's virtual host stays behind");
        }
    }
}
