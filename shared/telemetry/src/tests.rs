//! Against a collector in this process.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use local_collector::{Collector, Metric};
use serde_json::Value;
use tracing::{info, info_span};

use crate::{Guard, LogFormat, Options, set_parent, subscriber, traceparent};

fn options(format: LogFormat, endpoint: Option<&str>) -> Options {
    Options { format, filter: "info".into(), otlp_endpoint: endpoint.map(Into::into) }
}

/// Runs `work` as one service would, then flushes.
fn as_service<T>(service: &'static str, endpoint: Option<&str>, work: impl FnOnce() -> T) -> T {
    let (subscriber, guard) =
        subscriber(service, &options(LogFormat::Text, endpoint), std::io::sink, false).unwrap();
    let result = tracing::subscriber::with_default(subscriber, work);
    drop(guard);
    result
}

#[test]
fn one_trace_goes_through_two_services() {
    let collector = Collector::start();

    let context = as_service("scheduler", Some(collector.endpoint()), || {
        info_span!("offer", job.id = "j1").in_scope(traceparent)
    });
    let context = context.expect("a span that is traced has a context");
    as_service("trainer", Some(collector.endpoint()), || {
        let span = info_span!("attempt");
        set_parent(&span, &context);
        span.in_scope(|| info!("computes"));
    });

    let spans = collector.spans();
    let find = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (offer, attempt) = (find("offer"), find("attempt"));
    assert_eq!(offer.trace_id, attempt.trace_id);
    assert_eq!(offer.span_id, attempt.parent_id);
    assert_eq!((offer.service.as_str(), attempt.service.as_str()), ("scheduler", "trainer"));
}

#[test]
fn instruments_reach_the_collector() {
    let collector = Collector::start();
    let guard = Guard::open("scheduler", Some(collector.endpoint())).unwrap();
    guard.provide_metrics();
    crate::counter("rekindle.jobs.ended", "{job}", "Jobs that ended").add(3, &[]);
    drop(guard);

    let expected = Metric {
        service: "scheduler".into(),
        name: "rekindle.jobs.ended".into(),
        unit: "{job}".into(),
        description: "Jobs that ended".into(),
    };
    assert_eq!(collector.metrics(), [expected]);
}

#[test]
fn without_a_collector_there_is_no_context() {
    let context = as_service("scheduler", None, || info_span!("offer").in_scope(traceparent));
    assert_eq!(context, None);
}

#[test]
fn what_is_no_trace_context_is_passed_over() {
    let collector = Collector::start();
    as_service("trainer", Some(collector.endpoint()), || {
        for wrong in ["", "nonsense", "00-00000000000000000000000000000000-0000000000000000-01"] {
            let span = info_span!("attempt");
            set_parent(&span, wrong);
            span.in_scope(|| ());
        }
    });
    let spans = collector.spans();
    assert_eq!(spans.len(), 3);
    assert!(spans.iter().all(|span| span.parent_id.is_empty()));
}

#[test]
fn a_collector_that_is_down_or_silent_holds_nobody_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for endpoint in ["http://127.0.0.1:9", &silent] {
        let begin = SystemTime::now();
        as_service("scheduler", Some(endpoint), || info_span!("work").in_scope(|| info!("done")));
        assert!(begin.elapsed().unwrap() < Duration::from_secs(6), "{endpoint} held the process up");
    }
}

#[test]
fn json_lines_are_flat_and_carry_their_spans() {
    let lines = Lines::default();
    let writer = lines.clone();
    let (subscriber, _guard) =
        subscriber("trainer", &options(LogFormat::Json, None), move || writer.clone(), false).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("attempt", job.id = "j1", attempt = 2, step = tracing::field::Empty);
        span.record("step", 7);
        span.in_scope(|| info!(loss = 0.5, "a step \"done\""));
    });

    let line: Value = serde_json::from_slice(&lines.0.lock().unwrap()).unwrap();
    assert_eq!(line["message"], "a step \"done\"");
    assert_eq!(line["job.id"], "j1");
    assert_eq!(line["attempt"], 2);
    assert_eq!(line["step"], 7);
    assert_eq!(line["loss"], 0.5);
    assert_eq!(line["span"], "attempt");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["service"], "trainer");
}

/// What a service logs in one `attempt` of its.
fn logged(format: LogFormat, log: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let (subscriber, _guard) =
        subscriber("trainer", &options(format, None), move || writer.clone(), false).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        info_span!("attempt", job.id = "j1", job.attempt = 2).in_scope(log);
    });
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn a_line_of_text_names_the_job_once_and_stays_one_line() {
    let text = logged(LogFormat::Text, || {
        let span = info_span!("checkpoint", job.id = "j1", job.attempt = 2, step = 7);
        span.in_scope(|| info!(empty = "", why = "no\nspace", key = "a/b", "kept\nat last"));
    });
    let (_, line) = text.split_once("  INFO telemetry::tests: ").unwrap();
    let expected = r#"kept\nat last job.id=j1 job.attempt=2 empty="" key=a/b step=7 why="no\nspace""#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn an_error_comes_with_what_led_to_it() {
    let text = logged(LogFormat::Json, || {
        let refused = std::io::Error::other("connection refused");
        let error: Box<dyn std::error::Error> =
            anyhow::Error::from(refused).context("cannot publish").into_boxed_dyn_error();
        info!(error = &*error, "again");
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["error"], "cannot publish: connection refused");
}

#[test]
fn wrong_options_are_refused_by_name() {
    let refusal = |options: Options| match subscriber("cli", &options, std::io::sink, false) {
        Ok(_) => panic!("{options:?} was taken"),
        Err(error) => error.to_string(),
    };
    let filter = refusal(Options { filter: "info,=loud".into(), ..options(LogFormat::Text, None) });
    assert!(filter.starts_with("telemetry.filter is \"info,=loud\""), "{filter}");
    let endpoint = refusal(options(LogFormat::Text, Some("localhost:4318")));
    assert!(endpoint.starts_with("telemetry.otlp_endpoint is \"localhost:4318\""), "{endpoint}");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
