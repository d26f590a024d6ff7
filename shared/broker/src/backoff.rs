//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3);

/// Waits that double from [`FIRST`] to [`LONGEST`], each shortened by up to a half, so that many processes that lost
/// the same broker do not come back in step.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Forgets the failures so far.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_their_limit() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..40).map(|_| backoff.next()).collect();

        assert!(waits[0] <= FIRST && FIRST / 2 <= waits[0], "{:?}", waits[0]);
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits[10..].iter().all(|wait| LONGEST / 2 <= *wait));

        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
