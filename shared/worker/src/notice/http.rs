//! Asking a metadata service.

use std::time::Duration;

use ureq::{
    Agent,
    http::{Method, Request, Response, StatusCode},
};

/// The most that is read of an answer.
const LONGEST_ANSWER: u64 = 256 * 1024;
/// How long a connection may take: the service is on the machine itself.
const CONNECT: Duration = Duration::from_secs(2);

/// Why it is not known whether the machine stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// Nothing came back.
    #[error("{request} came to nothing")]
    Unreachable {
        request: String,
        #[source]
        error: Box<ureq::Error>,
    },
    /// It came back with a status that says nothing.
    #[error("{request} was answered with {status}")]
    Refused { request: String, status: StatusCode },
    /// It said something else.
    #[error("{request} was answered with {answer:?}")]
    Unreadable { request: String, answer: String },
}

/// A client of one metadata service.
#[derive(Debug)]
pub(super) struct Client {
    base: String,
    agent: Agent,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    request: String,
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    pub(super) body: String,
}

impl Client {
    /// A client of the service at `base` that waits for an answer for `patience`. No proxy is asked, whatever the
    /// environment says: it would answer for another machine.
    pub(super) fn new(base: &str, patience: Duration) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self { base: base.trim_end_matches('/').into(), agent: config.into() }
    }

    /// Asks with one header.
    pub(super) fn ask(&self, method: Method, path: &str, header: (&str, &str)) -> Result<Answer, LookError> {
        let request = format!("{method} {}{path}", self.base);
        let unreachable = |error| LookError::Unreachable { request: request.clone(), error: Box::new(error) };
        let message = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header.0, header.1)
            .body(())
            .map_err(|error| unreachable(error.into()))?;
        let mut answer = self.agent.run(message).map_err(unreachable)?;
        let etag = etag_of(&answer);
        let body = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
        let body = body.map_err(unreachable)?;
        Ok(Answer { status: answer.status(), etag, body, request })
    }
}

fn etag_of<T>(answer: &Response<T>) -> Option<String> {
    Some(answer.headers().get("etag")?.to_str().ok()?.to_owned())
}

impl Answer {
    /// The same if it says that all is well.
    pub(super) fn good(self) -> Result<Self, LookError> {
        if self.status == StatusCode::OK {
            return Ok(self);
        }
        Err(LookError::Refused { request: self.request, status: self.status })
    }

    /// It is not what the cloud's documentation promises.
    pub(super) fn unreadable(self) -> LookError {
        LookError::Unreadable { request: self.request, answer: self.body.chars().take(200).collect() }
    }
}
