//! What was sent, in plain words.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    resource::v1::Resource,
};
use prost::Message;

/// A span. Ids are in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The service that sent it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The trace it is part of.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// The span it hangs on; empty for a root.
    pub parent_id: String,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
}

/// A metric, without its figures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// The service that sent it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// What its figures count or measure.
    pub unit: String,
    /// What it tells.
    pub description: String,
}

/// The spans of one post.
pub(crate) fn read_spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).expect("exporters send protobuf");
    let mut spans = Vec::new();
    for resource in request.resource_spans {
        let service = service(resource.resource.as_ref());
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                service: service.clone(),
                name: span.name,
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                attributes: span.attributes.iter().map(|pair| (pair.key.clone(), text(pair))).collect(),
            });
        }
    }
    spans
}

/// The metrics of one post.
pub(crate) fn read_metrics(body: &[u8]) -> Vec<Metric> {
    let request = ExportMetricsServiceRequest::decode(body).expect("exporters send protobuf");
    let mut metrics = Vec::new();
    for resource in request.resource_metrics {
        let service = service(resource.resource.as_ref());
        for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            let (name, unit, description) = (metric.name, metric.unit, metric.description);
            metrics.push(Metric { service: service.clone(), name, unit, description });
        }
    }
    metrics
}

fn service(resource: Option<&Resource>) -> String {
    let mut attributes = resource.into_iter().flat_map(|resource| &resource.attributes);
    attributes.find(|pair| pair.key == "service.name").map(text).unwrap_or_default()
}

fn text(pair: &KeyValue) -> String {
    match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
