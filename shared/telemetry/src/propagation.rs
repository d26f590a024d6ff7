//! Trace context across messages, in the form of W3C Trace Context's `traceparent`.

use std::collections::HashMap;

use opentelemetry::{propagation::TextMapPropagator, trace::TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The current span as another process must name it to go on with its trace. `None` outside a trace, and while no
/// collector is set.
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes `span`, which must not have been entered yet, part of the trace that `traceparent` names. Anything that is
/// not one is passed over: a trace that is cut costs less than a message that is refused for it.
pub fn set_parent(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    if context.span().span_context().is_valid() {
        // It fails only where spans are not traced or have begun, and then there is nothing to join.
        let _ = span.set_parent(context);
    }
}
