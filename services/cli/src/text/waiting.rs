//! What a job waits for, in words.

use contract::control::{Start, StartKind, WaitReason, Waiting};

use super::Clock;

/// `workload limit, 3 ahead, about in 5m`: for a column.
pub(crate) fn brief(waiting: &Waiting, clock: &Clock) -> String {
    let reason = match waiting.reason {
        WaitReason::NoWorker => "no worker",
        WaitReason::WorkloadLimit => "workload limit",
        WaitReason::OwnerLimit => "owner limit",
        WaitReason::Slots => "busy workers",
        WaitReason::Claim => "a claim",
        WaitReason::Money => "money",
        WaitReason::Paused => "paused",
        WaitReason::Backoff => "backoff",
    };
    let mut parts = vec![reason.to_owned()];
    parts.extend(waiting.ahead.filter(|ahead| 0 < *ahead).map(|ahead| format!("{ahead} ahead")));
    parts.extend(waiting.starts.map(|start| format!("{} {}", kind(start), clock.distance(start.at))));
    parts.join(", ")
}

/// `classifier runs at most 2 jobs at once; second in its line, 3 jobs ahead; begins about 14:05:00 (in 5m)`
pub(crate) fn sentence(waiting: &Waiting, clock: &Clock) -> String {
    let mut parts = vec![waiting.detail.clone()];
    parts.extend(place(waiting));
    parts.extend(begins(waiting, clock));
    parts.join("; ")
}

/// `number 2 in its line, 3 jobs ahead`
pub(crate) fn place(waiting: &Waiting) -> Option<String> {
    let (position, ahead) = (waiting.position?, waiting.ahead?);
    let jobs = if ahead == 1 { "job" } else { "jobs" };
    let more = if position == 1000 { " or later" } else { "" };
    Some(format!("number {position}{more} in its line, {ahead} {jobs} ahead"))
}

/// `begins about 14:05:00 (in 5m)`
pub(crate) fn begins(waiting: &Waiting, clock: &Clock) -> Option<String> {
    waiting.starts.map(|start| format!("begins {} {}", kind(start), clock.moment_and_distance(start.at)))
}

fn kind(start: Start) -> &'static str {
    match start.kind {
        StartKind::About => "about",
        StartKind::NotBefore => "not before",
    }
}

#[cfg(test)]
mod tests {
    use contract::Timestamp;
    use expect_test::expect;

    use super::*;

    #[test]
    fn waiting_is_told_with_what_is_known_of_it() {
        let clock = Clock { now: Timestamp(60_000), zone: jiff::tz::TimeZone::UTC };
        let limited = Waiting {
            reason: WaitReason::OwnerLimit,
            detail: "owner ada runs at most 2 jobs at once".into(),
            position: Some(2),
            ahead: Some(4),
            starts: Some(Start { at: Timestamp(360_000), kind: StartKind::About }),
        };
        let far = Waiting { position: Some(1000), ahead: Some(1200), starts: None, ..limited.clone() };
        let backoff = Waiting {
            reason: WaitReason::Backoff,
            detail: "its next attempt, after transient".into(),
            position: None,
            ahead: None,
            starts: Some(Start { at: Timestamp(70_000), kind: StartKind::NotBefore }),
        };
        let lines = [limited, far, backoff]
            .map(|waiting| format!("{}\n{}\n", brief(&waiting, &clock), sentence(&waiting, &clock)));
        expect![[r#"
            owner limit, 4 ahead, about in 5m
            owner ada runs at most 2 jobs at once; number 2 in its line, 4 jobs ahead; begins about 00:06:00 (in 5m)
            owner limit, 1200 ahead
            owner ada runs at most 2 jobs at once; number 1000 or later in its line, 1200 jobs ahead
            backoff, not before in 10s
            its next attempt, after transient; begins not before 00:01:10 (in 10s)
        "#]].assert_eq(&lines.concat());
    }
}
