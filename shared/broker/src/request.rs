//! Request and reply.

use std::time::Duration;

use contract::{Refused, Request};

use crate::Broker;

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
        /// Who was asked.
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
        error: crate::PublishError,
    },
}

impl Broker {
    /// Asks and waits for the answer. When the connection breaks meanwhile it asks again, so every request is
    /// idempotent.
    pub async fn request<R: Request>(
        &self,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Reply, RequestError> {
        let _ = (request, timeout);
        unimplemented!()
    }
}
