//! What is counted.

use std::time::Duration;

use contract::Refused;
use telemetry::{Counter, Histogram, KeyValue};

/// Counts commits and refusals.
#[derive(Debug)]
pub(crate) struct Meters {
    bytes: Counter<u64>,
    duration: Histogram<f64>,
    refused: Counter<u64>,
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            bytes: telemetry::counter(
                "rekindle.checkpoints.bytes",
                "By",
                "Bytes of the checkpoints that were committed",
            ),
            duration: telemetry::histogram(
                "rekindle.checkpoints.commit.duration",
                "s",
                "How long a commit takes, reading its bytes included",
            ),
            refused: telemetry::counter(
                "rekindle.checkpoints.refused",
                "{request}",
                "Requests that were refused, by reason",
            ),
        }
    }

    pub(crate) fn committed(&self, bytes: u64, took: Duration) {
        self.bytes.add(bytes, &[]);
        self.duration.record(took.as_secs_f64(), &[]);
    }

    pub(crate) fn refused(&self, refused: &Refused) {
        self.refused.add(1, &[KeyValue::new("reason", refused.reason.as_str())]);
    }
}
