//! How a message becomes JSON and back: `kind` and `version` beside the message's own fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// The largest message anybody may send, in bytes. Larger ones are dead-lettered unread.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// A message: a plain struct with a name and a version of its form.
pub trait Message: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The name on the wire, such as `job.submit`.
    const KIND: &'static str;
    /// The newest version of the form that this build reads and the one it writes.
    const VERSION: u32 = 1;
}

/// A message that expects an answer.
pub trait Request: Message {
    /// What a good answer is. A bad one is [`Refused`].
    type Reply: Message;
    /// Where it is published: exchange and routing key.
    const ADDRESS: (&'static str, &'static str);
    /// Whether it must survive a restart of the broker. What is asked again anyway need not.
    const DURABLE: bool = false;
}

/// The answer to a request that cannot be served, or to a submission that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Why, for programs.
    pub reason: Refusal,
    /// Why, for people: what is wrong and what would be right.
    pub message: String,
}

impl Message for Refused {
    const KIND: &'static str = "refused";
}

impl Refused {
    /// A refusal with its reason and its explanation.
    pub fn new(reason: Refusal, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The request does not say something valid.
    Invalid,
    /// There is nothing of that name.
    NotFound,
    /// It contradicts what is already so: the same job id with another body, say.
    Conflict,
    /// The sender no longer holds the right to do this: a newer attempt was started.
    Fenced,
    /// It passes a limit set by the operator.
    Limit,
    /// The service could not do its work just now; the same request may succeed later.
    Unavailable,
}

impl Refusal {
    /// The reason as it stands in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Limit => "limit",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Why bytes are not the expected message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Larger than [`MAX_MESSAGE_BYTES`].
    #[error("the message has {bytes} bytes; at most {MAX_MESSAGE_BYTES} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, or not an object with `kind` and `version`.
    #[error("the message is not a JSON object with \"kind\" and \"version\"")]
    NotAnEnvelope(#[source] serde_json::Error),
    /// A message, but not one that belongs here.
    #[error("the message is a {found:?}; {expected:?} was expected here")]
    WrongKind {
        /// Its kind.
        found: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// Written by a newer release.
    #[error(
        "{kind} version {found} is newer than {newest}, the newest this release reads; upgrade this service"
    )]
    TooNew {
        /// The message's kind.
        kind: &'static str,
        /// Its version.
        found: u32,
        /// The newest this build reads.
        newest: u32,
    },
    /// The right kind with wrong fields.
    #[error("{kind} does not have the right fields")]
    Body {
        /// The message's kind.
        kind: &'static str,
        /// Which field, and what is wrong with it.
        #[source]
        error: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Head {
    kind: String,
    version: u32,
}

/// Writes a message as JSON.
///
/// # Panics
/// Never for the messages of this crate: they are JSON objects with string keys.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let mut value = serde_json::to_value(message).expect("messages of the contract serialise");
    let fields = value.as_object_mut().expect("messages of the contract are JSON objects");
    fields.insert("kind".into(), M::KIND.into());
    fields.insert("version".into(), M::VERSION.into());
    serde_json::to_vec(&value).expect("a JSON value serialises")
}

/// Reads the message's kind without reading the rest.
///
/// # Errors
/// When the bytes are too many or no envelope.
pub fn kind_of(bytes: &[u8]) -> Result<String, DecodeError> {
    open(bytes).map(|(head, _)| head.kind)
}

/// Reads a message.
///
/// # Errors
/// [`DecodeError`] names what is wrong, field and value included.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, DecodeError> {
    let (head, fields) = open(bytes)?;
    if head.kind != M::KIND {
        return Err(DecodeError::WrongKind { found: head.kind, expected: M::KIND });
    }
    if M::VERSION < head.version {
        return Err(DecodeError::TooNew { kind: M::KIND, found: head.version, newest: M::VERSION });
    }
    M::deserialize(fields).map_err(|error| DecodeError::Body { kind: M::KIND, error })
}

/// Reads the envelope. Only an object will do: serde would also take a list for a struct.
fn open(bytes: &[u8]) -> Result<(Head, Map<String, Value>), DecodeError> {
    if MAX_MESSAGE_BYTES < bytes.len() {
        return Err(DecodeError::TooLarge { bytes: bytes.len() });
    }
    let fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(DecodeError::NotAnEnvelope)?;
    let head = Head::deserialize(&fields).map_err(DecodeError::NotAnEnvelope)?;
    Ok((head, fields))
}
