//! EC2: `spot/instance-action` of the instance metadata service, version 2. It comes two minutes ahead. A rebalance
//! recommendation is no notice: it says that one has become more likely.

use std::time::Duration;

use serde::Deserialize;
use ureq::http::{Method, StatusCode};

use super::{
    Notice,
    http::{Answer, Client, LookError},
};

const BASE: &str = "http://169.254.169.254";
const TOKEN_LIFE_S: &str = "21600";
/// How often EC2's documentation wants it to be looked at.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Aws {
    client: Client,
    token: Option<String>,
}

/// Such as `{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`.
#[derive(Deserialize)]
struct InstanceAction {
    action: String,
    time: String,
}

impl Aws {
    pub(super) fn new(base: Option<&str>) -> Self {
        Self { client: Client::new(base.unwrap_or(BASE), PATIENCE), token: None }
    }

    pub(super) fn look(&mut self) -> Result<Option<Notice>, LookError> {
        let mut answer = self.ask()?;
        if answer.status == StatusCode::UNAUTHORIZED {
            // The token has run out.
            self.token = None;
            answer = self.ask()?;
        }
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.good()?;
        match serde_json::from_str(&answer.body) {
            Ok(InstanceAction { action, time }) => {
                Ok(Some(Notice(format!("EC2 has announced for {time}: {action} this machine"))))
            }
            Err(_) => Err(answer.unreadable()),
        }
    }

    fn ask(&mut self) -> Result<Answer, LookError> {
        let token = match self.token.take() {
            Some(token) => token,
            None => self.new_token()?,
        };
        let token = self.token.insert(token);
        let header = ("X-aws-ec2-metadata-token", token.as_str());
        self.client.ask(Method::GET, "/latest/meta-data/spot/instance-action", header)
    }

    fn new_token(&self) -> Result<String, LookError> {
        let life = ("X-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFE_S);
        Ok(self.client.ask(Method::PUT, "/latest/api/token", life)?.good()?.body)
    }
}
