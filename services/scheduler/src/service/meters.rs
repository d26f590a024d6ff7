//! What operators can watch.

use std::time::Duration;

use telemetry::{Counter, Gauge, Histogram, KeyValue};

use crate::core::{Census, JobEvent};

/// The instruments.
pub(super) struct Meters {
    ended: Counter<u64>,
    retried: Counter<u64>,
    leased: Counter<u64>,
    jobs: Gauge<f64>,
    batch_messages: Histogram<f64>,
    batch_duration: Histogram<f64>,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            ended: telemetry::counter("rekindle.jobs.ended", "{job}", "Jobs that have ended, by state"),
            retried: telemetry::counter(
                "rekindle.attempts.retried",
                "{attempt}",
                "Attempts that failed and are tried again, by failure class",
            ),
            leased: telemetry::counter(
                "rekindle.attempts.leased",
                "{attempt}",
                "Attempts that were granted, by GPU class",
            ),
            jobs: telemetry::gauge("rekindle.jobs", "{job}", "Jobs that have not ended, by state"),
            batch_messages: telemetry::histogram(
                "rekindle.scheduler.batch.messages",
                "{message}",
                "Messages handled in one transaction",
            ),
            batch_duration: telemetry::histogram(
                "rekindle.scheduler.batch.duration",
                "s",
                "From reading a batch to its transaction being on disk",
            ),
        }
    }

    pub(super) fn count(&self, event: &JobEvent) {
        match event {
            JobEvent::Queued(_) | JobEvent::Warned(_) | JobEvent::Paused(_) | JobEvent::Resumed(_) => {}
            JobEvent::Leased(leased) => {
                self.leased.add(1, &[KeyValue::new("gpu", leased.gpu.to_string())]);
            }
            JobEvent::Retrying(retrying) => {
                self.retried.add(1, &[KeyValue::new("failure", retrying.failure.class.as_str())]);
            }
            JobEvent::Ended(ended) => self.ended.add(1, &[KeyValue::new("state", ended.state.as_str())]),
        }
    }

    pub(super) fn census(&self, census: Census) {
        let Census { queued, offered, running, backing_off, paused } = census;
        for (state, count) in [
            ("queued", queued),
            ("offered", offered),
            ("running", running),
            ("backing_off", backing_off),
            ("paused", paused),
        ] {
            self.jobs.record(count as f64, &[KeyValue::new("state", state)]);
        }
    }

    pub(super) fn batch(&self, messages: usize, took: Duration) {
        self.batch_messages.record(messages as f64, &[]);
        self.batch_duration.record(took.as_secs_f64(), &[]);
    }
}
