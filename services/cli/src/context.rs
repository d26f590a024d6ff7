//! What every command has at hand.

use std::path::Path;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use settings::Settings;

use crate::{arguments::Command, client::Client, output::Output, text::Clock};

/// Settings, output and time of one command.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) output: Output,
}

impl Context {
    pub(crate) fn new(config: Option<&Path>, json: bool) -> anyhow::Result<Self> {
        Ok(Self { settings: Settings::find(config)?, output: Output { json } })
    }

    /// Connects to the broker.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        Client::connect(&self.settings).await
    }

    /// The present moment, in this machine's time zone.
    pub(crate) fn clock(&self) -> Clock {
        Clock { now: contract::Timestamp::now(), zone: TimeZone::system() }
    }

    /// Opens the checkpoints' bytes.
    pub(crate) fn object_store(&self) -> anyhow::Result<checkpoints::ObjectStore> {
        let scratch = self.settings.data.dir.join("cli");
        checkpoints::ObjectStore::open(&self.settings.checkpoints.url, &scratch)
            .context("cannot open the checkpoint store (checkpoints.url)")
    }

    /// Says where an object lies: on this machine, or in which store.
    pub(crate) fn artifact_place(&self) -> impl Fn(&str) -> String + use<'_> {
        let url = &self.settings.checkpoints.url;
        move |key| format!("{}/{key}", url.trim_end_matches('/'))
    }

    /// How this command logs: the system that runs in this terminal as it is set, any other only what is wrong. What
    /// a person asks leaves no trace of its own; it begins at the service that is asked.
    pub(crate) fn telemetry(&self, command: &Command) -> telemetry::Options {
        let set = self.settings.telemetry.clone();
        match command {
            Command::Up(_) => telemetry::Options { otlp_endpoint: None, ..set },
            _ => telemetry::Options {
                format: telemetry::LogFormat::Text,
                filter: "error".into(),
                otlp_endpoint: None,
            },
        }
    }
}
