//! What a redriven job does otherwise than it was submitted to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{GpuClass, Preference, RetryOverride, SpotUse, SubmitJob, Timeout};

/// Changes to a submission; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct JobEdits {
    /// Parameters that are set, by name; `null` takes one away.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// Other GPU classes, in order of preference; an empty list leaves the choice to the workload's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Vec<GpuClass>>,
    /// Whether preemptible machines will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<SpotUse>,
    /// How one of the classes is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefer: Option<Preference>,
    /// GPU memory needed, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// The longest one attempt may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timeout>,
    /// Departures from the retry policy, each for itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: RetryOverride,
    /// 0 (last) to 9 (first).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9))]
    pub priority: Option<u8>,
}

impl JobEdits {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        is_default(self)
    }

    /// The submission with the changes.
    pub fn applied_to(&self, submission: &SubmitJob) -> SubmitJob {
        let mut edited = submission.clone();
        for (name, value) in &self.params {
            match value {
                Value::Null => drop(edited.params.remove(name)),
                value => drop(edited.params.insert(name.clone(), value.clone())),
            }
        }
        let resources = &mut edited.resources;
        replace(&mut resources.gpu, &self.gpu);
        replace(&mut resources.spot, &self.spot);
        replace(&mut resources.prefer, &self.prefer);
        resources.memory_mib = self.memory_mib.or(resources.memory_mib);
        edited.timeout = self.timeout.or(edited.timeout);
        edited.retry = later(edited.retry, self.retry);
        replace(&mut edited.priority, &self.priority);
        edited
    }

    /// These changes and later ones, which count where both say something.
    #[must_use]
    pub fn then(mut self, later_edits: &Self) -> Self {
        self.params.extend(later_edits.params.clone());
        let Self { params: _, gpu, spot, prefer, memory_mib, timeout, retry, priority } = later_edits.clone();
        Self {
            params: self.params,
            gpu: gpu.or(self.gpu),
            spot: spot.or(self.spot),
            prefer: prefer.or(self.prefer),
            memory_mib: memory_mib.or(self.memory_mib),
            timeout: timeout.or(self.timeout),
            retry: later(self.retry, retry),
            priority: priority.or(self.priority),
        }
    }
}

/// `gpu=a100,l4 params.lr=0.01 timeout=7200.0`: each change as it stands in messages.
impl fmt::Display for JobEdits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(Value::Object(fields)) = serde_json::to_value(self) else { return Ok(()) };
        let changes = fields.iter().flat_map(|(field, value)| match value {
            Value::Object(inner) => {
                inner.iter().map(|(name, value)| format!("{field}.{name}={}", words(value))).collect()
            }
            value => vec![format!("{field}={}", words(value))],
        });
        f.write_str(&changes.collect::<Vec<String>>().join(" "))
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(words).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn later(before: RetryOverride, now: RetryOverride) -> RetryOverride {
    RetryOverride {
        max_retries: now.max_retries.or(before.max_retries),
        max_losses: now.max_losses.or(before.max_losses),
        initial_delay: now.initial_delay.or(before.initial_delay),
        backoff_coefficient: now.backoff_coefficient.or(before.backoff_coefficient),
        max_delay: now.max_delay.or(before.max_delay),
        jitter: now.jitter.or(before.jitter),
    }
}

fn replace<T: Clone>(field: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        field.clone_from(given);
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edits(value: Value) -> JobEdits {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_absent_stays_and_null_takes_away() {
        let submission: SubmitJob = serde_json::from_value(json!({
            "job_id": "a", "workload": "classifier", "params": { "data": "d", "lr": 0.1, "epochs": 3 },
            "resources": { "gpu": ["t4"], "spot": "allow" }, "retry": { "max_retries": 1, "max_losses": 2 },
        }))
        .unwrap();
        assert_eq!(JobEdits::default().applied_to(&submission), submission);
        let edited = edits(json!({
            "params": { "lr": 0.01, "epochs": null }, "gpu": ["a100"], "retry": { "max_retries": 5 }, "timeout": 60,
        }))
        .applied_to(&submission);
        assert_eq!(Value::Object(edited.params), json!({ "data": "d", "lr": 0.01 }));
        assert_eq!((edited.resources.gpu[0].as_str(), edited.resources.spot), ("a100", SpotUse::Allow));
        assert_eq!((edited.retry.max_retries, edited.retry.max_losses), (Some(5), Some(2)));
    }

    #[test]
    fn later_edits_count_and_all_are_told() {
        let first = edits(json!({ "params": { "lr": 0.1, "epochs": 3 }, "priority": 9 }));
        let both = first.then(&edits(json!({ "params": { "lr": null }, "gpu": ["l4", "t4"] })));
        assert_eq!(both.to_string(), "gpu=l4,t4 params.epochs=3 params.lr=null priority=9");
        assert!(!both.is_empty() && JobEdits::default().is_empty());
    }
}
