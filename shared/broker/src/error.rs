//! Why the broker cannot be used.

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};

/// The broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one. Carries it without the password.
    #[error("{0:?} is not an AMQP address; write amqp://user:password@host:5672/vhost")]
    Address(String),
    /// Nothing answers, or it refuses.
    #[error("cannot connect to RabbitMQ at {address}")]
    Unreachable {
        /// Host and port, without the password.
        address: String,
        /// Why.
        #[source]
        error: lapin::Error,
    },
    /// A queue or an exchange exists with other arguments.
    #[error("{0}")]
    Mismatch(String),
    /// A work queue cannot have this name: AMQP keys are short, and the words of the delay levels come before it.
    #[error("{0:?} cannot be a work queue's name: it takes 1 to 200 bytes")]
    QueueName(String),
    /// Something of the topology cannot be declared or subscribed to.
    #[error("cannot {action}")]
    Topology {
        /// What was being done, such as `declare the queue "dead-letters"`.
        action: String,
        /// Why.
        #[source]
        error: lapin::Error,
    },
    /// The broker was closed, or the service was stopped, before there was a connection.
    #[error("stopped before RabbitMQ answered")]
    Closed,
}

impl ConnectError {
    /// What `error` means for `action` on `subject`.
    pub(crate) fn from_declaration(action: &str, subject: &str, error: lapin::Error) -> Self {
        let told = protocol_text(&error);
        match told.and_then(Inequivalence::parse) {
            Some(difference) => Self::Mismatch(difference.explain(subject)),
            None => Self::Topology { action: format!("{action} {subject}"), error },
        }
    }

    /// Whether waiting cannot mend it: bad credentials, no such virtual host, other arguments, no permission.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Address(_) | Self::Mismatch(_) | Self::QueueName(_) | Self::Closed => true,
            Self::Unreachable { error, .. } | Self::Topology { error, .. } => is_refusal(error),
        }
    }
}

fn is_refusal(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(
        error.kind(),
        AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            | AMQPErrorKind::Soft(
                AMQPSoftError::ACCESSREFUSED | AMQPSoftError::NOTFOUND | AMQPSoftError::PRECONDITIONFAILED
            )
    )
}

fn protocol_text(error: &lapin::Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_message().as_str()),
        _ => None,
    }
}

/// What RabbitMQ says when a queue or an exchange exists with other arguments.
#[derive(Debug, PartialEq, Eq)]
struct Inequivalence<'a> {
    argument: &'a str,
    ours: &'a str,
    theirs: &'a str,
}

impl<'a> Inequivalence<'a> {
    /// Reads `… inequivalent arg 'A' for queue 'Q' in vhost 'V': received X but current is Y`, where X and Y may be
    /// `none`, `'value'` or `the value 'value' of type 'type'`.
    fn parse(text: &'a str) -> Option<Self> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (argument, rest) = rest.split_once('\'')?;
        let (_, rest) = rest.split_once(": received ")?;
        let (ours, theirs) = rest.split_once(" but current is ")?;
        Some(Self { argument, ours: value(ours), theirs: value(theirs) })
    }

    fn explain(&self, subject: &str) -> String {
        let Self { argument, ours, theirs } = self;
        format!(
            "{subject} exists with {argument} = {theirs}, but this release declares {argument} = {ours}; delete it \
             once it is empty, or use another virtual host"
        )
    }
}

/// The value itself, in any of the ways RabbitMQ writes it.
fn value(text: &str) -> &str {
    match text.split_once('\'') {
        Some((_, quoted)) => quoted.split_once('\'').map_or(quoted, |(value, _)| value),
        None => text.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_read_in_all_their_forms() {
        let check = |text, argument, ours, theirs| {
            assert_eq!(Inequivalence::parse(text), Some(Inequivalence { argument, ours, theirs }));
        };
        check(
            "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value \
             '125' of type 'signedint' but current is none",
            "x-message-ttl",
            "125",
            "none",
        );
        check(
            "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost 'v': received 'topic' but current \
             is 'direct'",
            "type",
            "topic",
            "direct",
        );
        check(
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but \
             current is the value 'classic' of type 'longstr'",
            "x-queue-type",
            "none",
            "classic",
        );
        assert_eq!(Inequivalence::parse("NOT_FOUND - no queue 'q' in vhost '/'"), None);
    }
}
