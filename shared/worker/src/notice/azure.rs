//! Azure: scheduled events of type `Preempt` for this machine. They come at least 30 seconds ahead. They are not
//! acknowledged: that would have the machine taken away sooner, and nothing is won by it.

use std::time::Duration;

use serde::Deserialize;
use ureq::http::Method;

use super::{
    Notice,
    http::{Client, LookError},
};

const BASE: &str = "http://169.254.169.254";
const EVENTS: &str = "/metadata/scheduledevents?api-version=2020-07-01";
const NAME: &str = "/metadata/instance/compute/name?api-version=2021-02-01&format=text";
const HEADER: (&str, &str) = ("Metadata", "true");
/// Half a minute's notice leaves no time to waste.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// The first question of a machine's life switches its scheduled events on, and that takes up to two minutes.
const PATIENCE: Duration = Duration::from_secs(150);

pub(super) struct Azure {
    client: Client,
    /// What events call this machine.
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    events: Vec<Event>,
}

/// Events of a scale set or an availability set are told to all its machines.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    event_type: String,
    #[serde(default)]
    resources: Vec<String>,
    /// Empty once it has begun.
    #[serde(default)]
    not_before: String,
}

impl Azure {
    pub(super) fn new(base: Option<&str>) -> Self {
        Self { client: Client::new(base.unwrap_or(BASE), PATIENCE), name: None }
    }

    pub(super) fn look(&mut self) -> Result<Option<Notice>, LookError> {
        let name = match self.name.take() {
            Some(name) => name,
            None => self.client.ask(Method::GET, NAME, HEADER)?.good()?.body.trim().to_owned(),
        };
        let name = self.name.insert(name);
        let answer = self.client.ask(Method::GET, EVENTS, HEADER)?.good()?;
        match serde_json::from_str::<Document>(&answer.body) {
            Ok(document) => Ok(notice_for(name, &document)),
            Err(_) => Err(answer.unreadable()),
        }
    }
}

fn notice_for(name: &str, document: &Document) -> Option<Notice> {
    let concerns_us = |event: &&Event| {
        let is_ours = event.resources.iter().any(|resource| resource.eq_ignore_ascii_case(name));
        event.event_type == "Preempt" && is_ours
    };
    let event = document.events.iter().find(concerns_us)?;
    Some(Notice(match event.not_before.as_str() {
        "" => "Azure evicts this machine now".into(),
        time => format!("Azure evicts this machine, not before {time}"),
    }))
}
