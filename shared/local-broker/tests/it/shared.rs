//! The broker that all tests of a run share.

use local_broker::testing::{SharedBroker, TestVhost, eventually};

#[tokio::test]
async fn everybody_gets_the_same_broker_and_a_vhost_of_their_own() -> anyhow::Result<()> {
    let (one, other) = tokio::try_join!(TestVhost::create(), TestVhost::create())?;
    let broker = SharedBroker::get().await?;
    let (server, _) = broker.amqp_url.rsplit_once('/').expect("an address ends with a virtual host");
    assert!(one.amqp_url().starts_with(server) && other.amqp_url().starts_with(server));
    assert_ne!(one.name(), other.name());

    let management = one.management().clone();
    let name = one.name().to_owned();
    assert_eq!(management.queues(&name).await?, []);
    assert_eq!(management.close_connections(&name).await?, 0);
    drop(one);
    eventually("the virtual host is gone with its test", async || management.queues(&name).await.is_err())
        .await?;
    management.delete_vhost(&name).await?;
    Ok(())
}
