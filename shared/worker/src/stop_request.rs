//! The request to stop a run.

use contract::StopCause;
use tokio::time::Instant;

/// Why a run must stop, and since when it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StopRequest {
    pub(crate) cause: StopCause,
    pub(crate) since: Instant,
}

impl StopRequest {
    /// What holds when `cause` comes on top of what was asked `before`. A cause that forbids writing overrides one that
    /// allows it; otherwise the first stands. The grace time counts from the first request either way.
    pub(crate) fn merge(before: Option<Self>, cause: StopCause, now: Instant) -> Self {
        match before {
            None => Self { cause, since: now },
            Some(before) if weight(before.cause) < weight(cause) => Self { cause, since: before.since },
            Some(before) => before,
        }
    }
}

fn weight(cause: StopCause) -> u8 {
    match cause {
        StopCause::Preempted
        | StopCause::Timeout
        | StopCause::Budget
        | StopCause::Paused
        | StopCause::EarlyStopped => 0,
        StopCause::Cancelled => 1,
        StopCause::Superseded => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_cause_stands_unless_a_later_one_forbids_writing() {
        let start = Instant::now();
        let later = start + Duration::from_secs(5);
        let asked = |causes: &[StopCause]| {
            let mut request = StopRequest::merge(None, causes[0], start);
            for cause in &causes[1..] {
                request = StopRequest::merge(Some(request), *cause, later);
            }
            assert_eq!(request.since, start, "the grace time is not extended");
            request.cause
        };

        assert_eq!(asked(&[StopCause::Timeout, StopCause::Preempted]), StopCause::Timeout);
        assert_eq!(asked(&[StopCause::Preempted, StopCause::Budget]), StopCause::Preempted);
        assert_eq!(asked(&[StopCause::Paused, StopCause::Preempted]), StopCause::Paused);
        assert_eq!(asked(&[StopCause::Paused, StopCause::Cancelled]), StopCause::Cancelled);
        assert_eq!(asked(&[StopCause::Timeout, StopCause::Cancelled]), StopCause::Cancelled);
        assert_eq!(asked(&[StopCause::Cancelled, StopCause::Timeout]), StopCause::Cancelled);
        assert_eq!(asked(&[StopCause::Cancelled, StopCause::Superseded]), StopCause::Superseded);
        assert_eq!(asked(&[StopCause::Superseded, StopCause::Cancelled]), StopCause::Superseded);
    }
}
