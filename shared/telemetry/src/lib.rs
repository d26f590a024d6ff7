//! Logs, traces and metrics: set up once in `main`, carried across messages as W3C trace context.
//!
//! Logs go to stderr, as text for people or as one JSON object a line. Traces and metrics go to an OTLP collector
//! over HTTP when one is set; a collector that is down costs nothing but its data.

mod lines;
mod metrics;
mod otlp;
mod propagation;

use std::io::IsTerminal;

use anyhow::Context;
use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{MakeWriter, format::JsonFields},
    layer::SubscriberExt,
};

use lines::Lines;
pub use metrics::{counter, gauge, histogram};
pub use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};
pub use otlp::Guard;
pub use propagation::{set_parent, traceparent};

/// What is logged and where traces and metrics go: `[telemetry]` in `rekindle.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How logs look.
    pub format: LogFormat,
    /// Which lines are logged: a level, or a filter such as `info,broker=debug`.
    pub filter: String,
    /// The OTLP/HTTP collector, such as `http://localhost:4318`.
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// `text`: for people.
    Text,
    /// `json`: one object a line, with the fields of the spans it is in.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{name:?} is not a log format; there are \"text\" and \"json\"")),
        }
    }
}

/// Sets up logs, traces and metrics for this process. What the guard still holds is sent when it is dropped, so keep
/// it until the end of `main`.
///
/// # Errors
/// When the filter or the collector's address is not valid, or the process has been set up before.
pub fn init(service: &'static str, options: &Options) -> anyhow::Result<Guard> {
    let ansi = std::io::stderr().is_terminal();
    let (subscriber, guard) = subscriber(service, options, std::io::stderr, ansi)?;
    tracing::subscriber::set_global_default(subscriber).context("logs were set up twice")?;
    guard.provide_metrics();
    Ok(guard)
}

/// The subscriber that `init` makes the process's own.
fn subscriber<W>(
    service: &'static str,
    options: &Options,
    writer: W,
    ansi: bool,
) -> anyhow::Result<(impl Subscriber + Send + Sync + use<W>, Guard)>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // lapin logs as errors what whoever uses it handles, and tells, as it should, and OpenTelemetry tells that it is
    // there; a filter that names them is heard.
    let filter = EnvFilter::try_new(format!("lapin=off,opentelemetry=warn,{}", options.filter)).with_context(|| {
        format!(
            "telemetry.filter is {:?}; it takes a level such as \"info\" or a list such as \"info,broker=debug\"",
            options.filter
        )
    })?;
    let logs = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi && options.format == LogFormat::Text)
        .fmt_fields(JsonFields::new())
        .event_format(Lines { service, format: options.format })
        .with_filter(filter);
    let guard = Guard::open(service, options.otlp_endpoint.as_deref())?;
    let subscriber = Registry::default().with(logs).with(guard.traces());
    Ok((subscriber, guard))
}

#[cfg(test)]
mod tests;
