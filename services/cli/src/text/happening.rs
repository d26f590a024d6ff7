//! Events as lines.

use contract::{
    JobId, Seconds, Timestamp,
    events::{
        AttemptCheckpointed, AttemptEnd, AttemptEnded, AttemptMetrics, AttemptNote, AttemptProgress,
        AttemptStarted, JobEnded, JobLeased, JobPaused, JobQueued, JobResumed, JobRetrying, JobWarned,
    },
    lease::Progress,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Clock, dollars, figure, length, remaining, seconds, size, steps};

/// Anything that is told on `rekindle.events`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum Happening {
    #[serde(rename = "job.queued")]
    Queued(JobQueued),
    #[serde(rename = "job.leased")]
    Leased(JobLeased),
    #[serde(rename = "job.retrying")]
    Retrying(JobRetrying),
    #[serde(rename = "job.warned")]
    Warned(JobWarned),
    #[serde(rename = "job.paused")]
    Paused(JobPaused),
    #[serde(rename = "job.resumed")]
    Resumed(JobResumed),
    #[serde(rename = "job.ended")]
    JobEnded(JobEnded),
    #[serde(rename = "attempt.started")]
    Started(AttemptStarted),
    #[serde(rename = "attempt.progress")]
    Progress(AttemptProgress),
    #[serde(rename = "attempt.metrics")]
    Metrics(AttemptMetrics),
    #[serde(rename = "attempt.note")]
    Note(AttemptNote),
    #[serde(rename = "attempt.checkpointed")]
    Checkpointed(AttemptCheckpointed),
    #[serde(rename = "attempt.ended")]
    AttemptEnded(AttemptEnded),
}

impl Happening {
    /// Reads an event. `None` for what a newer release tells and this one does not know.
    pub(crate) fn read(event: &Value) -> Option<Self> {
        Self::deserialize(event).ok()
    }

    /// The job it is about.
    pub(crate) fn job(&self) -> &JobId {
        match self {
            Self::Queued(event) => &event.job_id,
            Self::Leased(event) => &event.job_id,
            Self::Retrying(event) => &event.job_id,
            Self::Warned(event) => &event.job_id,
            Self::Paused(event) => &event.job_id,
            Self::Resumed(event) => &event.job_id,
            Self::JobEnded(event) => &event.job_id,
            Self::Started(event) => &event.job_id,
            Self::Progress(event) => &event.job_id,
            Self::Metrics(event) => &event.job_id,
            Self::Note(event) => &event.job_id,
            Self::Checkpointed(event) => &event.job_id,
            Self::AttemptEnded(event) => &event.job_id,
        }
    }

    /// When it happened.
    pub(crate) fn at(&self) -> Timestamp {
        match self {
            Self::Queued(event) => event.at,
            Self::Leased(event) => event.at,
            Self::Retrying(event) => event.at,
            Self::Warned(event) => event.at,
            Self::Paused(event) => event.at,
            Self::Resumed(event) => event.at,
            Self::JobEnded(event) => event.at,
            Self::Started(event) => event.at,
            Self::Progress(event) => event.at,
            Self::Metrics(event) => event.at,
            Self::Note(event) => event.at,
            Self::Checkpointed(event) => event.at,
            Self::AttemptEnded(event) => event.at,
        }
    }

    /// What happened, in one line without time and job.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Queued(event) => queued(event),
            Self::Leased(event) => {
                format!("attempt {} goes to {} ({} {})", event.attempt, event.worker, event.gpu, event.tier)
            }
            Self::Retrying(event) => {
                let next = if event.delay == Seconds::ZERO {
                    "at once".into()
                } else {
                    format!("in {}", seconds(event.delay))
                };
                format!("attempt {} failed: {}; the next one is due {next}", event.attempt, event.failure)
            }
            Self::Warned(event) => format!("attempt {}: warning: {}", event.attempt, event.warning),
            Self::Paused(_) => "paused: it holds no machine until somebody resumes it".into(),
            Self::Resumed(_) => "resumed".into(),
            Self::JobEnded(event) => job_ended(event),
            Self::Started(event) => started(event),
            Self::Progress(event) => format!("attempt {}: {}", event.attempt, progress(&event.progress)),
            Self::Metrics(event) => {
                format!("attempt {}: step {}, {}", event.attempt, event.step, figures(&event.metrics))
            }
            Self::Note(event) => format!("attempt {}: {}", event.attempt, event.note),
            Self::Checkpointed(event) => format!(
                "attempt {}: checkpoint at step {} ({}, training paused {:.0} ms, written in {})",
                event.attempt,
                event.step,
                size(event.bytes),
                event.pause.as_f64() * 1000.0,
                seconds(event.took)
            ),
            Self::AttemptEnded(event) => attempt_ended(event),
        }
    }

    /// Time, job where several are watched, and what happened.
    pub(crate) fn line(&self, clock: &Clock, with_job: bool) -> String {
        let moment = clock.moment(self.at());
        let sentence = self.sentence();
        if with_job {
            format!("{moment}  {}  {sentence}", self.job())
        } else {
            format!("{moment}  {sentence}")
        }
    }
}

/// `step 120/400 (30 %), epoch 3, loss 0.4375, 12.5 steps/s, 23s left`.
pub(crate) fn progress(progress: &Progress) -> String {
    let mut parts = vec![format!("step {}", steps(progress))];
    parts.extend(progress.epoch.map(|epoch| format!("epoch {epoch}")));
    parts.extend(progress.loss.map(|loss| format!("loss {}", figure(loss))));
    parts.extend(progress.steps_per_second.map(|rate| format!("{rate:.1} steps/s")));
    let rest = remaining(progress).filter(|rest| !rest.is_zero());
    parts.extend(rest.map(|rest| format!("{} left", length(rest))));
    parts.join(", ")
}

/// `val_accuracy 0.9375, val_loss 0.25`.
pub(crate) fn figures<'a>(metrics: impl IntoIterator<Item = (&'a String, &'a f64)>) -> String {
    let figures = metrics.into_iter().map(|(name, value)| format!("{name} {}", figure(*value)));
    figures.collect::<Vec<_>>().join(", ")
}

fn started(event: &AttemptStarted) -> String {
    let from = match event.resumed_from_step {
        0 => "from the beginning".into(),
        step => format!("from the checkpoint of step {step}"),
    };
    let mut sentence = format!("attempt {} starts {from} on {}", event.attempt, event.worker);
    for damage in &event.damaged {
        sentence = format!("{sentence}; passed over: {damage}");
    }
    sentence
}

fn attempt_ended(event: &AttemptEnded) -> String {
    let how = match &event.end {
        AttemptEnd::Succeeded(_) => "has done the work".into(),
        AttemptEnd::Failed(failure) => format!("failed: {failure}"),
        AttemptEnd::Cancelled => "stopped: the job was cancelled".into(),
        AttemptEnd::Paused => "stopped: the job was paused".into(),
        AttemptEnd::Superseded => "stopped: a newer attempt was started".into(),
    };
    format!("attempt {} {how}, at step {}", event.attempt, event.progress.step)
}

fn queued(event: &JobQueued) -> String {
    let mut sentence = format!("queued: {} job of {}", event.workload, event.owner);
    if !event.edits.is_empty() {
        sentence = format!("{sentence}, with {}", event.edits);
    }
    if event.fresh {
        sentence = format!("{sentence}, from step 0");
    }
    sentence
}

fn job_ended(event: &JobEnded) -> String {
    let attempts = if event.attempts == 1 { "attempt" } else { "attempts" };
    let mut sentence = format!("{} after {} {attempts}, {}", event.state, event.attempts, dollars(event.usd));
    if let Some(failure) = &event.failure {
        sentence = format!("{sentence}: {failure}");
    }
    match &event.result {
        Some(result) if !result.metrics.is_empty() => format!("{sentence}: {}", figures(&result.metrics)),
        _ => sentence,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// The lines of the contract's own examples.
    #[test]
    fn every_event_has_its_line() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/contract/golden");
        let clock = Clock { now: Timestamp(1_767_225_700_000), zone: jiff::tz::TimeZone::UTC };
        let mut lines = String::new();
        for kind in [
            "job.queued",
            "job.leased",
            "attempt.started",
            "attempt.progress",
            "attempt.metrics",
            "attempt.note",
            "attempt.checkpointed",
            "attempt.ended",
            "job.retrying",
            "job.warned",
            "job.paused",
            "job.resumed",
            "job.ended",
        ] {
            let text = std::fs::read_to_string(format!("{folder}/{kind}.v1.json")).unwrap();
            let event = Happening::read(&serde_json::from_str(&text).unwrap()).expect(kind);
            lines = format!("{lines}{}\n", event.line(&clock, true));
        }
        expect![[r#"
            00:00:00  flowers-7  queued: classifier job of vision-team, with gpu=a100 memory_mib=16384 params.lr=0.01 prefer=cheapest priority=9 retry.max_retries=5 spot=never timeout=7200.0, from step 0
            00:01:15  flowers-7  attempt 2 goes to gpu-host-0 (l4 spot)
            00:01:16  flowers-7  attempt 2 starts from the checkpoint of step 1000 on gpu-host-0; passed over: jobs/flowers-7/data/2-1100-11aa.safetensors is damaged: 12 bytes are missing
            00:01:20  flowers-7  attempt 2: step 1200/4000 (30 %), epoch 3, loss 0.4375, 12.5 steps/s, 3m 44s left
            00:01:20  flowers-7  attempt 2: step 1200, train_loss 0.4375, val_accuracy 0.875
            00:01:20  flowers-7  attempt 2: tulips/0012.jpg cannot be read and is left out: unexpected end of file
            00:01:30  flowers-7  attempt 2: checkpoint at step 1000 (140 MB, training paused 62 ms, written in 1.5s)
            00:10:00  flowers-7  attempt 2 has done the work, at step 1200
            00:01:05  flowers-7  attempt 1 failed: transient: cannot read data/datasets/flowers: connection reset by peer; the next one is due in 10s
            00:01:20  flowers-7  attempt 2: warning: the attempt will take about 55m more, and 40m are left of its timeout of 1h
            00:01:20  flowers-7  paused: it holds no machine until somebody resumes it
            00:01:20  flowers-7  resumed
            00:10:00  flowers-7  dead after 2 attempts, $0.25: oom: out of memory at batch_size 64 in 4 parts: val_accuracy 0.9375, val_loss 0.25
        "#]].assert_eq(&lines);
    }

    #[test]
    fn what_a_newer_release_tells_is_passed_over() {
        assert_eq!(Happening::read(&serde_json::json!({ "kind": "job.sold", "job_id": "a" })), None);
    }
}
