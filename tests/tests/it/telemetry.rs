//! What a job leaves in logs, traces and metrics, over the death of a trainer.

use std::collections::{BTreeMap, BTreeSet};

use broker::Outgoing;
use contract::{
    JobId, Refusal,
    checkpoints::OpenHistory,
    control::JobState,
    names::{JOBS_EXCHANGE, SUBMIT_KEY},
};
use local_collector::{Collector, Span};
use serde_json::{Map, Value};
use system_tests::{Hold, SCHEDULER, STORE, StepParams, System, submission, wait_for};

const TRAINER: &str = "host-0";
/// The publisher's trace, and its span in it.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PUBLISHER: &str = "b7ad6b7169203331";

/// A job's spans by (service, name, attempt), and what each hangs on.
const SPANS: &[(&str, &str, u32, &str)] = &[
    ("scheduler", "submit", 0, "publisher"),
    ("scheduler", "offer", 1, "scheduler submit 0"),
    ("step-trainer", "claim", 1, "scheduler offer 1"),
    ("scheduler", "claim", 1, "step-trainer claim 1"),
    ("step-trainer", "prepare", 1, "scheduler offer 1"),
    ("step-trainer", "checkpoint", 1, "scheduler offer 1"),
    ("checkpoint-store", "commit", 1, "step-trainer checkpoint 1"),
    ("scheduler", "offer", 2, "scheduler submit 0"),
    ("step-trainer", "claim", 2, "scheduler offer 2"),
    ("scheduler", "claim", 2, "step-trainer claim 2"),
    ("step-trainer", "prepare", 2, "scheduler offer 2"),
    ("checkpoint-store", "open", 2, "step-trainer prepare 2"),
    ("step-trainer", "checkpoint", 2, "scheduler offer 2"),
    ("checkpoint-store", "commit", 2, "step-trainer checkpoint 2"),
    ("step-trainer", "attempt", 2, "scheduler offer 2"),
    ("scheduler", "ended", 2, "step-trainer attempt 2"),
];

/// A job's log lines by (program, message, attempt), and how often each is there.
const LINES: &[(&str, &str, u64, usize)] = &[
    (SCHEDULER, "accepted", 0, 1),
    (SCHEDULER, "offered", 1, 1),
    (TRAINER, "granted", 1, 1),
    (SCHEDULER, "granted", 1, 1),
    (TRAINER, "committed", 1, 2),
    (STORE, "committed", 1, 2),
    (SCHEDULER, "the attempt failed; another one follows", 1, 1),
    (SCHEDULER, "offered", 2, 1),
    (TRAINER, "granted", 2, 1),
    (SCHEDULER, "granted", 2, 1),
    (STORE, "opened", 2, 1),
    (TRAINER, "committed", 2, 2),
    (STORE, "committed", 2, 2),
    (TRAINER, "the attempt is over", 2, 1),
    (SCHEDULER, "ended", 2, 1),
    (STORE, "refused", 1, 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_followed_from_its_publisher_to_its_last_checkpoint() {
    let collector = Collector::start();
    let changes = [("telemetry.otlp_endpoint", collector.endpoint()), ("telemetry.format", "json")];
    let mut system = System::start("telemetry", &changes).await;
    let hold = Hold::at_step(&system.holds(), 25);
    let job = publish_traced(&mut system, &StepParams::steps(40).commit_every(10).hold(&hold)).await;

    hold.reached().await;
    // Its claim, its preparation and two checkpoints: what has not been sent yet dies with it.
    wait_for("what the first attempt did to reach the collector", async || {
        let spans = collector.spans();
        let told = |span: &&Span| span.service == "step-trainer" && span.attributes.contains_key("job.id");
        (spans.iter().filter(told).count() == 4).then_some(())
    })
    .await;
    system.restart(TRAINER).await;
    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    let overtaken = OpenHistory { job_id: job.clone(), token: 1 };
    assert_eq!(system.ask(&overtaken).await.unwrap_err().reason, Refusal::Fenced);

    let lines = log_lines(&system);
    system.end().await;
    check_lines(&lines, &job);
    check_spans(&collector.spans(), &job);
    check_metrics(&collector);
}

/// Publishes a job as a program with OpenTelemetry does.
async fn publish_traced(system: &mut System, params: &StepParams) -> JobId {
    let submission = submission("job-that-is-followed", params);
    let traceparent = Some(format!("00-{TRACE}-{PUBLISHER}-01"));
    let message = Outgoing::new(JOBS_EXCHANGE, SUBMIT_KEY, &submission);
    system.broker.publish(Outgoing { traceparent, ..message }).await.expect("the broker takes a submission");
    system.expect(submission)
}

fn check_spans(spans: &[Span], job: &JobId) {
    let of_job =
        spans.iter().filter(|span| span.attributes.get("job.id").is_some_and(|id| id == job.as_str()));
    let (traced, others): (Vec<_>, Vec<_>) = of_job.partition(|span| span.trace_id == TRACE);
    // The test's own question came without a trace.
    let others: Vec<String> = others.into_iter().map(name).collect();
    assert_eq!(others, ["checkpoint-store open 1"]);

    let names = traced.iter().map(|span| (span.span_id.as_str(), name(span)));
    let names: BTreeMap<&str, String> = names.chain([(PUBLISHER, "publisher".into())]).collect();
    let found = traced.iter().map(|span| {
        let parent = names.get(span.parent_id.as_str());
        (name(span), parent.unwrap_or_else(|| panic!("nobody told of the parent of {span:#?}")).clone())
    });
    let expected = SPANS.iter().map(|(service, span, attempt, parent)| {
        (format!("{service} {span} {attempt}"), (*parent).to_owned())
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), expected.collect());
}

/// What a span is called here: service, name, attempt.
fn name(span: &Span) -> String {
    let attempt = span.attributes.get("job.attempt").map_or("", String::as_str);
    format!("{} {} {attempt}", span.service, span.name)
}

/// The lines of every program, each with the program's name.
fn log_lines(system: &System) -> Vec<(&'static str, Map<String, Value>)> {
    let mut lines = Vec::new();
    for program in [SCHEDULER, TRAINER, STORE] {
        let log = std::fs::read_to_string(system.path().join(format!("logs/{program}.log"))).unwrap();
        for line in log.lines() {
            let fields =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{program}: {error}: {line}"));
            lines.push((program, fields));
        }
    }
    lines
}

fn check_lines(lines: &[(&'static str, Map<String, Value>)], job: &JobId) {
    let mut found = BTreeMap::new();
    for (program, line) in lines {
        let text = serde_json::to_string(line).unwrap();
        if text.contains(job.as_str()) {
            assert_eq!(line.get("job.id"), Some(&job.as_str().into()), "{text}");
            let attempt = line.get("job.attempt").and_then(Value::as_u64);
            let attempt = attempt.unwrap_or_else(|| panic!("no attempt is named: {text}"));
            let message = line["message"].as_str().unwrap();
            *found.entry((*program, message, attempt)).or_insert(0) += 1;
        }
    }
    let expected: BTreeMap<_, usize> = LINES
        .iter()
        .map(|(program, message, attempt, count)| ((*program, *message, *attempt), *count))
        .collect();
    assert_eq!(found, expected);
}

/// Every metric that arrives is described in docs/telemetry.md, under its unit and its service, and the other way.
fn check_metrics(collector: &Collector) {
    const GUIDE: &str = include_str!("../../../docs/telemetry.md");
    let rows = GUIDE.lines().filter(|line| line.starts_with("| `rekindle."));
    let documented: BTreeSet<Vec<String>> = rows
        .map(|row| row.split('|').skip(1).take(3).map(|cell| cell.trim().replace('`', "")).collect())
        .collect();
    let sent: BTreeSet<Vec<String>> = collector
        .metrics()
        .into_iter()
        .map(|metric| {
            let service = metric.service.replace("step-trainer", "trainer");
            vec![metric.name, metric.unit, service]
        })
        .collect();
    assert_eq!(sent, documented);
}
