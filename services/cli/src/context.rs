//! What every command has at hand.

use std::path::Path;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use settings::Settings;
use telemetry::{Guard, LogFormat, Options};

use crate::{client::Client, output::Output, text::Clock};

/// Settings, output and time of one command.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) output: Output,
    _telemetry: Guard,
}

impl Context {
    /// For a command that asks: of its own doings it logs only what is wrong, and traces begin at the service that is
    /// asked.
    pub(crate) fn of_question(config: Option<&Path>, json: bool) -> anyhow::Result<Self> {
        let quiet = |_| Options { format: LogFormat::Text, filter: "error".into(), otlp_endpoint: None };
        Self::with_telemetry(config, json, quiet)
    }

    /// For the system that runs in this terminal: it logs as it is set to.
    pub(crate) fn of_system(config: Option<&Path>, json: bool) -> anyhow::Result<Self> {
        Self::with_telemetry(config, json, |set| Options { otlp_endpoint: None, ..set })
    }

    fn with_telemetry(
        config: Option<&Path>,
        json: bool,
        choose: impl FnOnce(Options) -> Options,
    ) -> anyhow::Result<Self> {
        let settings = Settings::find(config)?;
        let _telemetry = telemetry::init("rekindle", &choose(settings.telemetry.clone()))?;
        Ok(Self { settings, output: Output { json }, _telemetry })
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
}
