//! Compute Engine: `instance/preempted` of the metadata server, which answers as soon as it changes. It comes up to 30
//! seconds ahead.

use std::time::Duration;

use ureq::http::Method;

use super::{
    Notice,
    http::{Client, LookError},
};

const BASE: &str = "http://metadata.google.internal";
const PATH: &str = "/computeMetadata/v1/instance/preempted";
/// The server itself waits for news, so this is only lest one that does not is asked all the time.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// How long the server waits for news.
const NEWS_S: u64 = 60;
const PATIENCE: Duration = Duration::from_secs(NEWS_S + 10);

pub(super) struct Gcp {
    client: Client,
    /// Names the value that was seen last: what has changed since then is answered at once.
    etag: Option<String>,
}

impl Gcp {
    pub(super) fn new(base: Option<&str>) -> Self {
        Self { client: Client::new(base.unwrap_or(BASE), PATIENCE), etag: None }
    }

    pub(super) fn look(&mut self) -> Result<Option<Notice>, LookError> {
        let path = match self.etag.take() {
            Some(etag) => format!("{PATH}?wait_for_change=true&timeout_sec={NEWS_S}&last_etag={etag}"),
            None => PATH.into(),
        };
        let answer = self.client.ask(Method::GET, &path, ("Metadata-Flavor", "Google"))?.good()?;
        self.etag = answer.etag.clone().filter(|etag| etag.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        match answer.body.trim() {
            "TRUE" => Ok(Some(Notice("Compute Engine preempts this machine within 30 seconds".into()))),
            "FALSE" => Ok(None),
            _ => Err(answer.unreadable()),
        }
    }
}
