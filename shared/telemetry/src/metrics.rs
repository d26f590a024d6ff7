//! Instruments. They report to the collector given to [`crate::init`], so make them after it; without a collector
//! they cost next to nothing.

use opentelemetry::{
    global,
    metrics::{Counter, Gauge, Histogram, Meter},
};

/// Counts events, such as `rekindle.jobs.ended` in `{job}`.
pub fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_unit(unit).with_description(description).build()
}

/// The distribution of a measure, such as `rekindle.checkpoints.duration` in `s`.
pub fn histogram(name: &'static str, unit: &'static str, description: &'static str) -> Histogram<f64> {
    meter().f64_histogram(name).with_unit(unit).with_description(description).build()
}

/// A measure that goes up and down, such as `rekindle.jobs` in `{job}`.
pub fn gauge(name: &'static str, unit: &'static str, description: &'static str) -> Gauge<f64> {
    meter().f64_gauge(name).with_unit(unit).with_description(description).build()
}

fn meter() -> Meter {
    global::meter("rekindle")
}
