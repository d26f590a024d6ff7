//! Request and reply.

use std::time::Duration;

use contract::{
    Message, Refused, Request,
    names::{CHECKPOINTS_KEY, REQUESTS_EXCHANGE},
};
use tokio::time::timeout;

use crate::{Broker, Outgoing, PublishError};

/// Where an answer is awaited. Plain data, so that it can wait beside a state change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplyTo {
    /// The asker's queue.
    pub queue: String,
    /// Which question.
    pub correlation_id: String,
}

/// A request was not answered well.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The service says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody answered in time.
    #[error("no answer to {kind} within {seconds} s; is the {service} service running?")]
    TimedOut {
        /// What was asked.
        kind: &'static str,
        /// Who was asked; RabbitMQ itself when there is no connection to it.
        service: &'static str,
        /// How long was waited.
        seconds: f64,
    },
    /// The answer cannot be read.
    #[error("the answer to {kind} cannot be read")]
    Answer {
        /// What was asked.
        kind: &'static str,
        /// Why.
        #[source]
        error: contract::DecodeError,
    },
    /// The question did not reach the broker.
    #[error("{kind} was not sent")]
    Publish {
        /// What was asked.
        kind: &'static str,
        /// Why.
        #[source]
        error: PublishError,
    },
}

impl Broker {
    /// Asks and waits for the answer. When the connection breaks meanwhile it asks again, so every request is
    /// idempotent. A request that need not survive a restart of the broker is dropped by it after `timeout`.
    ///
    /// # Errors
    /// [`RequestError::Refused`] when the service says no; the others as they say.
    pub async fn request<R: Request>(
        &self,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Reply, RequestError> {
        let (exchange, routing_key) = R::ADDRESS;
        let question = Outgoing { durable: R::DURABLE, ..Outgoing::new(exchange, routing_key, request) };
        let body = self.ask::<R>(question, timeout).await?;
        read_answer::<R>(&body)
    }

    /// The answer's bytes.
    async fn ask<R: Request>(&self, question: Outgoing, patience: Duration) -> Result<Vec<u8>, RequestError> {
        let kind = R::KIND;
        let answered = timeout(patience, self.asker().ask(question, self.name(), patience)).await;
        let Ok(answer) = answered else {
            let service = if *self.online().borrow() { service(R::ADDRESS) } else { "RabbitMQ" };
            return Err(RequestError::TimedOut { kind, service, seconds: patience.as_secs_f64() });
        };
        answer.map_err(|error| RequestError::Publish { kind, error })
    }
}

fn read_answer<R: Request>(body: &[u8]) -> Result<R::Reply, RequestError> {
    let answer = |error| RequestError::Answer { kind: R::KIND, error };
    if contract::kind_of(body).map_err(answer)? == Refused::KIND {
        return Err(RequestError::Refused(contract::decode(body).map_err(answer)?));
    }
    contract::decode(body).map_err(answer)
}

fn service(address: (&str, &str)) -> &'static str {
    if address == (REQUESTS_EXCHANGE, CHECKPOINTS_KEY) { "checkpoint-store" } else { "scheduler" }
}
