//! What is declared, and what is said when it cannot be.

use broker::{Broker, ConnectError, topology};
use lapin::{
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use local_broker::testing::TestVhost;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{Bench, QUEUE, connect, foreign_channel, options};

#[tokio::test]
async fn declaring_twice_changes_nothing() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let queues = async || {
        let mut names: Vec<String> = bench
            .vhost
            .management()
            .queues(bench.vhost.name())
            .await?
            .into_iter()
            .map(|queue| queue.name)
            .collect();
        names.sort();
        anyhow::Ok(names)
    };
    let once = queues().await?;
    let mut expected: Vec<String> = topology::topology().queues.into_iter().map(|queue| queue.name).collect();
    expected.push(QUEUE.into());
    expected.sort();
    assert_eq!(once, expected);

    let again = connect(bench.vhost.amqp_url()).await?;
    again.ensure_work_queue(QUEUE).await?;
    assert_eq!(queues().await?, once);
    Ok(())
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_named_with_ours_and_theirs() -> anyhow::Result<()> {
    let vhost = TestVhost::create().await?;
    let channel = foreign_channel(vhost.amqp_url()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(7));
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("dead-letters".into(), durable, arguments).await?;

    let error = Broker::connect(options(vhost.amqp_url()), &CancellationToken::new()).await;
    let error = error.expect_err("the queue differs");
    assert!(matches!(error, ConnectError::Mismatch(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("\"dead-letters\" exists with x-delivery-limit = 7"), "{text}");
    assert!(text.contains("this release declares x-delivery-limit = 1000000000"), "{text}");
    Ok(())
}

#[tokio::test]
async fn what_waiting_cannot_mend_fails_at_once() -> anyhow::Result<()> {
    let vhost = TestVhost::create().await?;
    let never = CancellationToken::new();
    let chain = |error: ConnectError| format!("{:#}", anyhow::Error::from(error));

    let mut wrong = url::Url::parse(vhost.amqp_url())?;
    wrong.set_password(Some("guess")).expect("an address takes a password");
    let error = Broker::connect(options(wrong.as_str()), &never).await.expect_err("wrong password");
    let text = chain(error);
    assert!(text.contains("ACCESS_REFUSED") && !text.contains("guess"), "{text}");

    let missing = format!("{}-missing", vhost.amqp_url());
    let error = Broker::connect(options(&missing), &never).await.expect_err("no such virtual host");
    let text = chain(error);
    assert!(text.contains("-missing not found"), "{text}");

    let error = Broker::connect(options("http://me:secret@localhost"), &never).await.expect_err("not AMQP");
    assert!(matches!(error, ConnectError::Address(_)), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn connecting_goes_on_until_it_is_stopped() -> anyhow::Result<()> {
    // Whoever connects here is hung up on.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("amqp://{}/%2f", listener.local_addr()?);
    let stop = CancellationToken::new();
    let hang_up = async {
        for _ in 0..3 {
            drop(listener.accept().await);
        }
        stop.cancel();
    };
    let (connected, ()) = tokio::join!(Broker::connect(options(&url), &stop), hang_up);
    assert!(matches!(connected, Err(ConnectError::Closed)), "{connected:?}");
    Ok(())
}

#[tokio::test]
async fn a_work_queue_needs_a_short_name() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    for name in ["", &"x".repeat(201)] {
        let error = bench.broker.ensure_work_queue(name).await.expect_err("not a name");
        assert!(matches!(&error, ConnectError::QueueName(given) if given == name), "{error}");
    }
    Ok(())
}
