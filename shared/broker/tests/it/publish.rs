//! Publishing and its confirms.

use std::collections::BTreeSet;

use broker::{Outgoing, PublishError};
use contract::{
    JobId, MAX_MESSAGE_BYTES, SubmitJob,
    events::AttemptNote,
    lease::OfferAttempt,
    names::{JOBS_EXCHANGE, REQUESTS_EXCHANGE, SCHEDULER_EVENTS, UNROUTABLE, WORK_EXCHANGE},
};

use lapin::options::ExchangeDeleteOptions;

use crate::support::{Bench, QUEUE, attempt, attempts, foreign_channel, next, number};

#[tokio::test]
async fn messages_arrive_in_order_with_their_properties() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut consumer = bench.broker.consume(QUEUE, 300).await?;
    let mut messages = attempts(0..1_000);
    messages[0].message_id = Some("the-first".into());
    messages[0].traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    for result in bench.broker.publish_all(messages.clone()).await {
        result?;
    }

    for expected in 0..1_000 {
        let delivery = next(&mut consumer).await;
        assert_eq!(number(&delivery), expected);
        assert_eq!(delivery.routing_key, QUEUE);
        assert!(!delivery.redelivered);
        if expected == 0 {
            assert_eq!(delivery.message_id, messages[0].message_id);
            assert_eq!(delivery.traceparent, messages[0].traceparent);
        }
        delivery.settle(broker::Disposition::Ack).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_no_queue_takes_is_an_error_or_ends_in_unroutable() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let offer = OfferAttempt { job_id: JobId::generate(), attempt: 1 };

    let nowhere = Outgoing::new(REQUESTS_EXCHANGE, "nobody", &offer);
    let error = bench.broker.publish(nowhere.clone()).await.expect_err("no queue takes it");
    assert!(matches!(error, PublishError::Unroutable { .. }), "{error}");
    // What is transient is said again, and an event that nobody listens to is no fault.
    bench.broker.publish(nowhere.transient()).await?;
    bench.broker.publish(Outgoing::event(&note("nobody keeps the events of this test"))).await?;

    let lost = Outgoing::new(WORK_EXCHANGE, "work.dit.h900.spot", &offer);
    for result in bench.broker.publish_all(vec![lost]).await {
        result?;
    }
    let mut unroutable = bench.broker.consume(UNROUTABLE, 1).await?;
    assert_eq!(next(&mut unroutable).await.routing_key, "work.dit.h900.spot");
    Ok(())
}

#[tokio::test]
async fn events_for_the_scheduler_reach_it() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut listener = bench.broker.listen(&["attempt.*.note"]).await?;
    let mut scheduler = bench.broker.consume(SCHEDULER_EVENTS, 10).await?;

    bench.broker.publish(Outgoing::event(&note("hello"))).await?;
    for consumer in [&mut listener, &mut scheduler] {
        let delivery = next(consumer).await;
        assert_eq!(delivery.decode::<AttemptNote>()?.note, "hello");
        assert_eq!(delivery.settle(broker::Disposition::Ack).await, broker::Settled::Sent);
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_right_is_not_sent() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut large = attempt(1);
    large.body = vec![b' '; MAX_MESSAGE_BYTES + 1];
    let error = bench.broker.publish(large.clone()).await.expect_err("too large");
    assert!(matches!(error, PublishError::TooLarge { bytes } if bytes == large.body.len()), "{error}");

    let submission = SubmitJob::new(contract::Workload::new("classifier")?, serde_json::Map::new());
    let check = async |message: Outgoing, words: &str| {
        let error = bench.broker.publish(message).await.expect_err(words);
        assert!(matches!(error, PublishError::NotSendable { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    check(Outgoing::new("rekindle.typo", "x", &submission), "the exchange is none of").await;
    check(Outgoing::new(JOBS_EXCHANGE, "x".repeat(256), &submission), "255").await;
    let delayed =
        Outgoing::new(JOBS_EXCHANGE, "submit", &submission).after(std::time::Duration::from_secs(1));
    check(delayed, "only messages to \"rekindle.work\" can be delayed").await;

    // One bad message takes nothing else down with it.
    let results = bench.broker.publish_all(vec![attempt(1), large, attempt(2)]).await;
    assert!(results[0].is_ok() && results[1].is_err() && results[2].is_ok(), "{results:?}");
    Ok(())
}

#[tokio::test]
async fn a_message_over_which_the_channel_is_closed_takes_no_other_with_it() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let foreign = foreign_channel(bench.vhost.amqp_url()).await?;
    foreign.exchange_delete(REQUESTS_EXCHANGE.into(), ExchangeDeleteOptions::default()).await?;

    let mut messages = attempts(0..50);
    messages[20].exchange = REQUESTS_EXCHANGE.into();
    let results = bench.broker.publish_all(messages).await;
    for (number, result) in results.into_iter().enumerate() {
        match result {
            Ok(()) => assert_ne!(number, 20),
            Err(error) => {
                assert_eq!(number, 20, "{error}");
                assert!(matches!(error, PublishError::Refused { .. }), "{error}");
                let text = format!("{:#}", anyhow::Error::from(error));
                assert!(text.contains("no exchange 'rekindle.requests'"), "{text}");
            }
        }
    }

    let mut consumer = bench.broker.consume(QUEUE, 100).await?;
    let mut arrived = BTreeSet::new();
    while arrived.len() < 49 {
        arrived.insert(number(&next(&mut consumer).await));
    }
    assert!(!arrived.contains(&20));
    Ok(())
}

#[tokio::test]
async fn closing_waits_for_confirms_and_refuses_what_comes_after() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let publishing = bench.broker.publish_all(attempts(0..500));
    let (results, ()) = tokio::join!(publishing, async {
        tokio::task::yield_now().await;
        bench.broker.close().await;
    });
    let confirmed = results.iter().filter(|result| result.is_ok()).count();
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(PublishError::Closed))), "{results:?}");
    assert!(!*bench.broker.online().borrow());
    let error = bench.broker.publish(attempt(1)).await.expect_err("closed");
    assert!(matches!(error, PublishError::Closed), "{error}");

    // Everything that was confirmed is there.
    let other = crate::support::connect(bench.vhost.amqp_url()).await?;
    let mut consumer = other.consume(QUEUE, 500).await?;
    for expected in 0..u32::try_from(confirmed)? {
        assert_eq!(number(&next(&mut consumer).await), expected);
    }
    Ok(())
}

fn note(text: &str) -> AttemptNote {
    AttemptNote {
        job_id: JobId::generate(),
        attempt: 1,
        note: text.into(),
        at: contract::Timestamp::default(),
    }
}
