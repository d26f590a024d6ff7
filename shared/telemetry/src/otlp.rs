//! Traces and metrics on their way to a collector.

use std::{sync::mpsc, time::Duration};

use anyhow::{Context, ensure};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::SdkTracerProvider,
};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// How long one export may take; a collector that is slower loses it.
const EXPORT_LIMIT: Duration = Duration::from_secs(3);
/// How long the end of a process waits for its last spans and figures to be taken.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);
/// How often figures are sent.
const METRICS_INTERVAL: Duration = Duration::from_secs(15);

/// Sends what is left of traces and metrics when it is dropped, for at most three seconds.
#[must_use = "traces and metrics end with the guard"]
#[derive(Debug)]
pub struct Guard {
    providers: Option<Providers>,
}

#[derive(Debug, Clone)]
struct Providers {
    service: &'static str,
    tracer: SdkTracerProvider,
    meter: SdkMeterProvider,
}

impl Guard {
    /// Opens the way to the collector at `endpoint`. Nothing is sent yet, so a collector that is down is no error.
    pub(crate) fn open(service: &'static str, endpoint: Option<&str>) -> anyhow::Result<Self> {
        let providers = endpoint.map(|endpoint| Providers::open(service, endpoint)).transpose()?;
        Ok(Self { providers })
    }

    /// Makes this process's instruments, from now on, report here.
    pub(crate) fn provide_metrics(&self) {
        if let Some(providers) = &self.providers {
            opentelemetry::global::set_meter_provider(providers.meter.clone());
        }
    }

    /// The layer that turns spans into traces; none without a collector.
    pub(crate) fn traces<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup> + Send + Sync,
    {
        let providers = self.providers.as_ref()?;
        let tracer = providers.tracer.tracer(providers.service);
        Some(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(filter_fn(is_worth_a_trace)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(Providers { tracer, meter, .. }) = self.providers.take() else { return };
        let (done, wait) = mpsc::channel();
        // On a thread of its own, because an export blocks and only part of the SDK takes a time limit. What failed
        // has been logged by the SDK; there is nobody left to tell.
        std::thread::spawn(move || {
            let _ = tracer.shutdown_with_timeout(FLUSH_LIMIT);
            let _ = meter.shutdown_with_timeout(FLUSH_LIMIT);
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(FLUSH_LIMIT);
    }
}

impl Providers {
    fn open(service: &'static str, endpoint: &str) -> anyhow::Result<Self> {
        ensure!(
            endpoint.starts_with("http://"),
            "telemetry.otlp_endpoint is {endpoint:?}; it takes an address such as \"http://localhost:4318\""
        );
        let address = |signal: &str| format!("{}/v1/{signal}", endpoint.trim_end_matches('/'));
        let not_valid = || format!("telemetry.otlp_endpoint is {endpoint:?}, which is not a valid address");
        let spans = SpanExporter::builder()
            .with_http()
            .with_endpoint(address("traces"))
            .with_timeout(EXPORT_LIMIT)
            .build()
            .with_context(not_valid)?;
        let figures = MetricExporter::builder()
            .with_http()
            .with_endpoint(address("metrics"))
            .with_timeout(EXPORT_LIMIT)
            .build()
            .with_context(not_valid)?;
        let resource = Resource::builder().with_service_name(service).build();
        let reader = PeriodicReader::builder(figures).with_interval(METRICS_INTERVAL).build();
        Ok(Self {
            service,
            tracer: SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_batch_exporter(spans)
                .build(),
            meter: SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build(),
        })
    }
}

/// Whether something belongs in a trace: spans and events of the work, not those of the libraries that carry it (nor
/// of the exporter, which would feed on itself).
fn is_worth_a_trace(metadata: &Metadata<'_>) -> bool {
    const CARRIERS: [&str; 6] = ["opentelemetry", "hyper", "reqwest", "lapin", "h2", "rustls"];
    *metadata.level() <= tracing::Level::INFO
        && !CARRIERS.iter().any(|carrier| metadata.target().starts_with(carrier))
}
