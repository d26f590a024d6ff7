//! Why there is no private broker, or it does not tell.

use std::{io, path::PathBuf, time::Duration};

use ureq::http::StatusCode;

/// The private broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalBrokerError {
    /// RabbitMQ or Erlang is missing.
    #[error("{program} is not installed; run `apt-get install rabbitmq-server`, or `make setup`")]
    NotInstalled {
        /// What was looked for.
        program: &'static str,
    },
    /// Another process runs the broker of this folder.
    #[error("another process already runs the broker in {}", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A file of the folder cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The operating system does not start it.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// No port is free.
    #[error("none of the ports tried on 127.0.0.1 is free")]
    NoPort,
    /// It ended while it was starting.
    #[error("RabbitMQ ended while it was starting; its last words, from {}:\n{words}", log.display())]
    Ended {
        /// Its log.
        log: PathBuf,
        /// The end of the log.
        words: String,
    },
    /// It does not answer.
    #[error("RabbitMQ does not answer after {} s; see {}", waited.as_secs(), log.display())]
    Silent {
        /// How long was waited.
        waited: Duration,
        /// Its log.
        log: PathBuf,
    },
}

/// The management interface did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// It does not answer.
    #[error("RabbitMQ's management interface does not answer {request}")]
    Unreachable {
        /// What was asked.
        request: String,
        /// Why.
        #[source]
        error: Box<ureq::Error>,
    },
    /// It says no.
    #[error("RabbitMQ's management interface answers {request} with {status}")]
    Refused {
        /// What was asked.
        request: String,
        /// Its answer.
        status: StatusCode,
    },
    /// It says something else than expected.
    #[error("RabbitMQ's management interface answers {request} with something that cannot be read")]
    Unreadable {
        /// What was asked.
        request: String,
        /// Why.
        #[source]
        error: serde_json::Error,
    },
    /// The runtime ended while it was asked.
    #[error("stopped while asking RabbitMQ's management interface")]
    Stopped,
}
