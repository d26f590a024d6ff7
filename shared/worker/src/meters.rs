//! What is counted and measured.

use contract::events::{AttemptCheckpointed, AttemptEnd};
use telemetry::{Counter, Histogram, KeyValue};

/// The instruments of a worker.
#[derive(Debug)]
pub(crate) struct Meters {
    ended: Counter<u64>,
    pause: Histogram<f64>,
    took: Histogram<f64>,
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            ended: telemetry::counter(
                "rekindle.attempts.ended",
                "{attempt}",
                "Attempts that have ended on this worker, by end",
            ),
            pause: telemetry::histogram(
                "rekindle.checkpoints.pause",
                "s",
                "How long training stood still for a checkpoint",
            ),
            took: telemetry::histogram(
                "rekindle.checkpoints.duration",
                "s",
                "How long a checkpoint took to be written and committed, beside the training",
            ),
        }
    }

    pub(crate) fn ended(&self, end: &AttemptEnd) {
        self.ended.add(1, &[KeyValue::new("end", name_of(end))]);
    }

    pub(crate) fn checkpointed(&self, checkpointed: &AttemptCheckpointed) {
        self.pause.record(checkpointed.pause.as_f64(), &[]);
        self.took.record(checkpointed.took.as_f64(), &[]);
    }
}

/// How an end is called where it is counted and logged.
pub(crate) fn name_of(end: &AttemptEnd) -> &'static str {
    match end {
        AttemptEnd::Succeeded(_) => "succeeded",
        AttemptEnd::Failed(failure) => failure.class.as_str(),
        AttemptEnd::Cancelled => "cancelled",
        AttemptEnd::Paused => "paused",
        AttemptEnd::Superseded => "superseded",
    }
}
