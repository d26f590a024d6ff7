//! How the process ends: the codes that scripts may rely on.

use std::{io, process::ExitCode};

use broker::{ConnectError, RequestError};
use contract::control::JobState;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Success = 0,
    /// Failed.
    Failure = 1,
    /// The command line or a job file is not valid.
    Usage = 2,
    /// A service refused, or there is no such job.
    Refused = 3,
    /// The job that was waited for ended without success.
    Unsuccessful = 4,
    /// No broker, or no service, answers.
    NoAnswer = 5,
    /// Ctrl-C while waiting; what was waited for goes on.
    Interrupted = 130,
}

/// The command line or a job file is not valid.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// There is nothing of that name, or too much.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotFound(pub(crate) String);

/// No broker answers.
#[derive(Debug, thiserror::Error)]
#[error("no broker answers at {address} within {seconds} s; `rekindle up` starts one, or set broker.url")]
pub(crate) struct NoBroker {
    pub(crate) address: String,
    pub(crate) seconds: u64,
}

impl Exit {
    /// What a failed command ends with.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(Self::of_cause).unwrap_or(Self::Failure)
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            // Whoever read the output has enough of it: `rekindle ls | head -1`.
            return (error.kind() == io::ErrorKind::BrokenPipe).then_some(Self::Success);
        }
        if let Some(error) = cause.downcast_ref::<RequestError>() {
            return Some(match error {
                RequestError::Refused(_) => Self::Refused,
                RequestError::TimedOut { .. } | RequestError::Publish { .. } => Self::NoAnswer,
                RequestError::Answer { .. } => Self::Failure,
            });
        }
        if let Some(ConnectError::Unreachable { .. }) = cause.downcast_ref() {
            return Some(Self::NoAnswer);
        }
        if cause.is::<UsageError>() {
            return Some(Self::Usage);
        }
        if cause.is::<NotFound>() {
            return Some(Self::Refused);
        }
        cause.is::<NoBroker>().then_some(Self::NoAnswer)
    }

    /// What waiting for a job ends with.
    pub(crate) fn of_job(state: JobState) -> Self {
        if state == JobState::Succeeded { Self::Success } else { Self::Unsuccessful }
    }

    /// What clap ends with: asking for help is no mistake.
    pub(crate) fn of_arguments(error: &clap::Error) -> Self {
        if error.use_stderr() { Self::Usage } else { Self::Success }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use contract::{Refusal, Refused};

    use super::*;

    #[test]
    fn the_cause_decides_however_deep_it_is() {
        let check = |error: anyhow::Error, exit| {
            assert_eq!(Exit::of(&error), exit, "{error:#}");
            assert_eq!(Exit::of(&error.context("while doing something")), exit);
        };
        check(anyhow::anyhow!("broken"), Exit::Failure);
        check(UsageError("wrong".into()).into(), Exit::Usage);
        check(NotFound("nothing".into()).into(), Exit::Refused);
        check(NoBroker { address: "host:5672".into(), seconds: 5 }.into(), Exit::NoAnswer);
        let refused = Refused::new(Refusal::NotFound, "there is no job x");
        check(RequestError::from(refused).into(), Exit::Refused);
        let timed_out = RequestError::TimedOut { kind: "job.get", service: "scheduler", seconds: 5.0 };
        check(timed_out.into(), Exit::NoAnswer);
        check(io::Error::from(io::ErrorKind::BrokenPipe).into(), Exit::Success);
        let missing: io::Result<()> = Err(io::ErrorKind::NotFound.into());
        check(missing.context("cannot read a file").unwrap_err(), Exit::Failure);
    }
}
