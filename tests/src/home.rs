//! The broker under a system.

use local_broker::{
    Management, QueueState,
    testing::{PrivateBroker, TestVhost},
};

/// Where a system's queues are.
#[derive(Debug)]
pub(crate) enum Home {
    /// A virtual host of its own on the node that all tests share.
    Shared(TestVhost),
    /// A node of its own, which may be killed.
    Private(PrivateBroker),
}

impl Home {
    pub(crate) async fn shared() -> Self {
        Self::Shared(TestVhost::create().await.expect("the shared broker has room for another test"))
    }

    pub(crate) async fn private() -> Self {
        Self::Private(PrivateBroker::start().await.expect("a broker of one's own starts"))
    }

    /// The broker's address, virtual host included.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Shared(vhost) => vhost.amqp_url(),
            Self::Private(broker) => broker.node.amqp_url(),
        }
    }

    /// The virtual host.
    pub(crate) fn vhost(&self) -> &str {
        match self {
            Self::Shared(vhost) => vhost.name(),
            Self::Private(_) => "/",
        }
    }

    /// The broker's management interface.
    pub(crate) fn management(&self) -> Management {
        match self {
            Self::Shared(vhost) => vhost.management().clone(),
            Self::Private(broker) => Management::new(broker.node.management_url()),
        }
    }

    /// What the queues hold.
    pub(crate) async fn queues(&self) -> Vec<QueueState> {
        self.management().queues(self.vhost()).await.expect("the management interface lists queues")
    }
}
