//! Questions and answers.

use std::time::Duration;

use broker::{Broker, Consumer, Disposition, Outgoing, PublishError, RequestError};
use contract::{
    Incarnation, JobId, Refusal, Refused, SubmitJob, WorkerId,
    lease::{Done, Goodbye, Welcome},
    names::SCHEDULER_REQUESTS,
};
use local_broker::testing::{Proxy, TestVhost};
use tokio::task::JoinSet;

use crate::support::{Bench, LIMIT, connect, next};

fn goodbye(worker: &str) -> Goodbye {
    Goodbye { worker: WorkerId::new(worker).expect("a name"), incarnation: Incarnation::generate() }
}

/// Answers every good-bye: with a refusal to `nobody`, with the wrong message to `stranger`, with silence to `silent`.
async fn serve(broker: Broker, mut consumer: Consumer) {
    while let Some(delivery) = consumer.next().await {
        let goodbye: Goodbye = delivery.decode().expect("a good-bye");
        let to = delivery.reply_to.clone().expect("an address for the answer");
        let answer = match goodbye.worker.as_str() {
            "nobody" => Outgoing::reply(&to, &Refused::new(Refusal::NotFound, "nobody of that name")),
            "stranger" => {
                let second = contract::Seconds::from(Duration::from_secs(1));
                Outgoing::reply(&to, &Welcome { heartbeat: second, lease: second, draining: false })
            }
            "silent" => {
                delivery.settle(Disposition::Ack).await;
                continue;
            }
            _ => Outgoing::reply(&to, &Done {}),
        };
        broker.publish(answer).await.expect("the answer is sent");
        delivery.settle(Disposition::Ack).await;
    }
}

#[tokio::test]
async fn questions_are_answered_refused_or_run_out_of_time() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let asker = connect(bench.vhost.amqp_url()).await?;
    let mut service = JoinSet::new();
    service.spawn(serve(bench.broker.clone(), bench.broker.consume(SCHEDULER_REQUESTS, 10).await?));

    let asked = (0..50).map(|number| {
        let asker = asker.clone();
        async move { asker.request(&goodbye(&format!("worker-{number}")), LIMIT).await }
    });
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer?, Done {});
    }

    let error = asker.request(&goodbye("nobody"), LIMIT).await.expect_err("refused");
    let RequestError::Refused(refused) = error else { panic!("{error}") };
    assert_eq!((refused.reason, refused.message.as_str()), (Refusal::NotFound, "nobody of that name"));

    let error = asker.request(&goodbye("stranger"), LIMIT).await.expect_err("not an answer");
    assert!(matches!(error, RequestError::Answer { kind: "worker.goodbye", .. }), "{error}");

    let error = asker.request(&goodbye("silent"), Duration::from_millis(100)).await.expect_err("no answer");
    let text = error.to_string();
    assert_eq!(text, "no answer to worker.goodbye within 0.1 s; is the scheduler service running?");

    bench.broker.close().await;
    let error = bench.broker.request(&goodbye("late"), LIMIT).await.expect_err("closed");
    assert!(matches!(error, RequestError::Publish { error: PublishError::Closed, .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_question_outlives_the_line_it_was_asked_on() -> anyhow::Result<()> {
    let vhost = TestVhost::create().await?;
    let service = connect(vhost.amqp_url()).await?;
    let mut questions = service.consume(SCHEDULER_REQUESTS, 10).await?;
    let proxy = Proxy::start(vhost.amqp_url()).await?;
    let asker = connect(proxy.url()).await?;

    let question = goodbye("worker");
    let asking = asker.request(&question, LIMIT);
    let answering = async {
        let first = next(&mut questions).await;
        proxy.cut();
        asker.online().wait_for(|online| !online).await?;
        let error = asker.request(&question, Duration::from_millis(50)).await.expect_err("no connection");
        assert!(error.to_string().contains("is the RabbitMQ service running?"), "{error}");
        proxy.restore();
        // It is asked again; an answer to the first asking would find nobody.
        let again = next(&mut questions).await;
        assert_eq!(first.body, again.body);
        let to = again.reply_to.clone().expect("an address for the answer");
        assert_ne!(Some(&to), first.reply_to.as_ref());
        service.publish(Outgoing::reply(&to, &Done {})).await?;
        first.settle(Disposition::Ack).await;
        again.settle(Disposition::Ack).await;
        anyhow::Ok(())
    };
    let (answer, answered) = tokio::join!(asking, answering);
    answered?;
    assert_eq!(answer?, Done {});
    Ok(())
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_expires() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let error =
        bench.broker.request(&goodbye("early"), Duration::from_millis(50)).await.expect_err("no answer");
    assert!(matches!(error, RequestError::TimedOut { .. }), "{error}");

    // A submission is durable: it waits for the scheduler, whether or not its asker does.
    let submission = SubmitJob {
        job_id: Some(JobId::new("kept")?),
        ..SubmitJob::new(contract::Workload::new("classifier")?, serde_json::Map::new())
    };
    let error = bench.broker.request(&submission, Duration::from_millis(200)).await.expect_err("no answer");
    assert!(matches!(error, RequestError::TimedOut { .. }), "{error}");
    let mut jobs = bench.broker.consume(contract::names::SCHEDULER_JOBS, 1).await?;
    assert_eq!(next(&mut jobs).await.decode::<SubmitJob>()?, submission);

    let mut questions = bench.broker.consume(SCHEDULER_REQUESTS, 1).await?;
    let late = goodbye("late");
    let asked = bench.broker.request(&late, LIMIT);
    let heard = async {
        let delivery = next(&mut questions).await;
        let question: Goodbye = delivery.decode()?;
        let to = delivery.reply_to.clone().expect("an address for the answer");
        bench.broker.publish(Outgoing::reply(&to, &Done {})).await?;
        anyhow::Ok(question)
    };
    let (answer, question) = tokio::join!(asked, heard);
    answer?;
    assert_eq!(question?.worker.as_str(), "late");
    Ok(())
}
