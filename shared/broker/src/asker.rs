//! One channel for all questions and their answers, over RabbitMQ's direct reply-to: answers come without a queue, on
//! the channel that asked. So when it ends, everything that is unanswered is asked again on the next one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicConsumeOptions, ConfirmSelectOptions},
    types::FieldTable,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::interval,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use crate::{
    Outgoing, PublishError,
    backoff::Backoff,
    line::{Line, Session},
    parcel::{Parcel, REPLY_TO},
};

/// How many questions may wait to be sent.
const BUFFER: usize = 256;
/// How often questions that nobody waits for any more are forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// Where questions are asked.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    questions: mpsc::Sender<Question>,
}

type Answer = oneshot::Sender<Result<Vec<u8>, PublishError>>;

#[derive(Debug)]
struct Question {
    parcel: Parcel,
    mandatory: bool,
    /// How long the broker keeps it.
    expires: Option<Duration>,
    answer: Answer,
}

/// A question that may have been asked, and has not been answered.
#[derive(Debug)]
struct Unanswered {
    parcel: Arc<Parcel>,
    mandatory: bool,
    answer: Answer,
}

impl Asker {
    /// Asks, as often as it takes, and waits for the answer's bytes.
    pub(crate) async fn ask(
        &self,
        question: Outgoing,
        app_id: &str,
        patience: Duration,
    ) -> Result<Vec<u8>, PublishError> {
        let (answer, answered) = oneshot::channel();
        let mandatory = question.durable;
        let parcel = Parcel::pack(question, app_id)?;
        let expires = (!mandatory).then_some(patience);
        let question = Question { parcel, mandatory, expires, answer };
        self.questions.send(question).await.map_err(|_| PublishError::Closed)?;
        answered.await.unwrap_or(Err(PublishError::Closed))
    }
}

/// Starts the task that asks. It ends with `finish`, or when the line is closed.
pub(crate) fn start(line: Line, finish: CancellationToken, tasks: &TaskTracker) -> Asker {
    let (questions, incoming) = mpsc::channel(BUFFER);
    let conversation = Conversation { line, incoming, unanswered: BTreeMap::new(), next: 0 };
    tasks.spawn(async move { finish.run_until_cancelled(conversation.run()).await });
    Asker { questions }
}

struct Conversation {
    line: Line,
    incoming: mpsc::Receiver<Question>,
    /// By correlation id.
    unanswered: BTreeMap<u64, Unanswered>,
    next: u64,
}

impl Conversation {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        // Who never asks needs no channel.
        let Some(first) = self.incoming.recv().await else { return };
        self.add(first);
        while let Some(session) = self.line.session().await {
            let error = match session.outcome(open(&session)).await {
                Ok((channel, answers)) => {
                    backoff.reset();
                    self.converse(&session, &channel, answers).await
                }
                Err(error) => Some(error),
            };
            debug!(?error, unanswered = self.unanswered.len(), "a channel for questions ended");
            if let Some(error) = error.filter(lapin::Error::is_amqp_soft_error) {
                self.give_up(&error);
            }
            self.line.pause(backoff.next()).await;
        }
    }

    /// Asks and hears answers until the channel ends; with what error, if it was not the connection.
    async fn converse(
        &mut self,
        session: &Session,
        channel: &Channel,
        mut answers: lapin::Consumer,
    ) -> Option<lapin::Error> {
        let mut in_flight = FuturesUnordered::new();
        for unanswered in self.unanswered.values() {
            in_flight.push(publish(channel, unanswered.parcel.clone(), unanswered.mandatory));
        }
        let mut sweep = interval(SWEEP);
        loop {
            tokio::select! {
                Some(question) = self.incoming.recv() => {
                    let (parcel, mandatory) = self.add(question);
                    in_flight.push(publish(channel, parcel, mandatory));
                }
                answer = answers.next() => match answer {
                    Some(Ok(answer)) => self.hear(&answer.properties, Ok(answer.data)),
                    Some(Err(error)) => return Some(error),
                    None => return None,
                },
                Some((parcel, confirmation)) = in_flight.next() => match confirmation {
                    Ok(confirmation) => self.confirm(&parcel, confirmation),
                    Err(error) => return Some(error),
                },
                _ = sweep.tick() => self.unanswered.retain(|_, unanswered| !unanswered.answer.is_closed()),
                () = session.lost() => return None,
            }
        }
    }

    fn add(&mut self, question: Question) -> (Arc<Parcel>, bool) {
        let Question { parcel, mandatory, expires, answer } = question;
        let parcel = Arc::new(parcel.asking(self.next, expires));
        self.unanswered.insert(self.next, Unanswered { parcel: parcel.clone(), mandatory, answer });
        self.next += 1;
        (parcel, mandatory)
    }

    /// Hands the answer to whom it is for. It may come twice, because the question may have been asked twice.
    fn hear(&mut self, properties: &BasicProperties, answer: Result<Vec<u8>, PublishError>) {
        let number = properties.correlation_id().as_ref().and_then(|id| id.as_str().parse().ok());
        if let Some(unanswered) = number.and_then(|number: u64| self.unanswered.remove(&number)) {
            // Its asker may have run out of patience.
            let _ = unanswered.answer.send(answer);
        }
    }

    /// A returned question is named by its own properties: lapin may attach it to the confirm of another one.
    fn confirm(&mut self, parcel: &Parcel, confirmation: Confirmation) {
        match confirmation {
            Confirmation::Ack(None) | Confirmation::NotRequested => {}
            Confirmation::Ack(Some(returned)) => {
                let exchange = returned.exchange.to_string();
                let routing_key = returned.routing_key.to_string();
                self.hear(&returned.properties, Err(PublishError::Unroutable { exchange, routing_key }));
            }
            Confirmation::Nack(_) => {
                let routing_key = parcel.routing_key.to_string();
                self.hear(&parcel.properties, Err(PublishError::Nacked { routing_key }));
            }
        }
    }

    /// The broker closed the channel over a question, and would do so again.
    fn give_up(&mut self, error: &lapin::Error) {
        for (_, Unanswered { parcel, answer, .. }) in std::mem::take(&mut self.unanswered) {
            let (exchange, routing_key) = (parcel.exchange.to_string(), parcel.routing_key.to_string());
            let error = Box::new(error.clone());
            let _ = answer.send(Err(PublishError::Refused { exchange, routing_key, error }));
        }
    }
}

/// Opens a channel that hears answers. The broker wants to see the consumer before the first question.
async fn open(session: &Session) -> lapin::Result<(Channel, lapin::Consumer)> {
    let channel = session.connection().create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let answers = channel.basic_consume(REPLY_TO.into(), "".into(), options, FieldTable::default()).await?;
    Ok((channel, answers))
}

async fn publish(
    channel: &Channel,
    parcel: Arc<Parcel>,
    mandatory: bool,
) -> (Arc<Parcel>, lapin::Result<Confirmation>) {
    let outcome = parcel.publish(channel, mandatory).await;
    (parcel, outcome)
}
