use contract::{FailureClass, JobId, Workload};
use proptest::prelude::*;

use super::*;

const RUN_LIMIT: u64 = 3600;
const GRACE: u64 = 30;
const HANG_LIMIT: u64 = 300;

fn grant() -> Grant {
    let seconds = |seconds: u64| Seconds::from(Duration::from_secs(seconds));
    Grant {
        job_id: JobId::new("job").unwrap(),
        attempt: 1,
        workload: Workload::new("classifier").unwrap(),
        profile: None,
        params: Default::default(),
        labels: Default::default(),
        fresh_after: 0,
        run_limit: seconds(RUN_LIMIT),
        run_limit_cause: StopCause::Timeout,
        grace: seconds(GRACE),
        checkpoint_interval: seconds(60),
        hang_limit: seconds(HANG_LIMIT),
        usd_per_hour: 1.0,
        micro_batches: None,
    }
}

/// A run that is looked at whenever the overseer asks for it, on a clock of our own.
struct Watched {
    start: Instant,
    now: Instant,
    overseer: Overseer,
    signs: Signs,
}

impl Watched {
    fn new() -> Self {
        let start = Instant::now();
        let signs = Signs { step: 0, moved_limit: None, reported_at: start, in_our_hands: false, stop: None };
        Self { start, now: start, overseer: Overseer::new(&grant(), start), signs }
    }

    fn elapsed(&self) -> u64 {
        (self.now - self.start).as_secs()
    }

    /// Goes on until `seconds` have passed or there is something to do.
    fn run_for(&mut self, seconds: u64, reports: bool) -> Option<Look> {
        let until = self.now + Duration::from_secs(seconds);
        while self.now < until {
            if reports {
                self.signs.reported_at = self.now;
                self.signs.step += 1;
            }
            match self.overseer.look(self.now, self.signs) {
                Look::Well(next) => self.now = next,
                other => return Some(other),
            }
        }
        None
    }

    fn stop(&mut self, cause: StopCause) {
        self.signs.stop = Some(StopRequest::merge(self.signs.stop, cause, self.now));
    }
}

fn class_of(look: Option<Look>) -> Option<FailureClass> {
    match look {
        Some(Look::GiveUp(AttemptEnd::Failed(failure))) => Some(failure.class),
        _ => None,
    }
}

#[test]
fn a_run_is_asked_to_stop_at_its_limit_and_given_up_after_the_grace_time() {
    let mut run = Watched::new();
    assert_eq!(run.run_for(2 * RUN_LIMIT, true), Some(Look::Stop(StopCause::Timeout)));
    assert_eq!(run.elapsed(), RUN_LIMIT);

    run.stop(StopCause::Timeout);
    let given_up = run.run_for(2 * GRACE, true);
    assert_eq!(class_of(given_up), Some(FailureClass::Timeout));
    assert_eq!(run.elapsed(), RUN_LIMIT + GRACE);
}

#[test]
fn a_limit_that_was_moved_counts_from_the_grant_in_either_direction() {
    for moved in [RUN_LIMIT / 2, 2 * RUN_LIMIT] {
        let mut run = Watched::new();
        assert_eq!(run.run_for(10, true), None);
        run.signs.moved_limit = Some((Duration::from_secs(moved), StopCause::Budget));
        assert_eq!(run.run_for(3 * RUN_LIMIT, true), Some(Look::Stop(StopCause::Budget)));
        assert_eq!(run.elapsed(), moved);
    }
}

#[test]
fn a_cancelled_run_that_does_not_stop_ends_as_cancelled() {
    let mut run = Watched::new();
    run.stop(StopCause::Cancelled);
    assert_eq!(run.run_for(2 * GRACE, true), Some(Look::GiveUp(AttemptEnd::Cancelled)));
}

#[test]
fn a_run_that_says_nothing_for_the_hang_limit_is_given_up_with_the_step_it_hung_at() {
    let mut run = Watched::new();
    assert_eq!(run.run_for(50, true), None);
    let said_last = run.signs.reported_at;
    let Some(Look::GiveUp(AttemptEnd::Failed(failure))) = run.run_for(2 * HANG_LIMIT, false) else {
        panic!("the run should have been given up");
    };
    assert_eq!(run.now, said_last + Duration::from_secs(HANG_LIMIT));
    assert_eq!(failure.class, FailureClass::Transient);
    assert_eq!(failure.message, "step 51 hung: nothing was heard from the trainer for 5m");
}

#[test]
fn waiting_for_a_commit_is_not_hanging() {
    let mut run = Watched::new();
    run.signs.in_our_hands = true;
    assert_eq!(run.run_for(3 * HANG_LIMIT, false), None);
    run.signs.in_our_hands = false;
    let given_up = run.run_for(2 * HANG_LIMIT, false);
    assert_eq!(class_of(given_up), Some(FailureClass::Transient));
    // The last look at which it waited may be a second old.
    assert!((4 * HANG_LIMIT - 1..=4 * HANG_LIMIT).contains(&run.elapsed()), "{}", run.elapsed());
}

#[test]
fn a_process_that_stood_still_gives_its_run_another_chance() {
    let mut run = Watched::new();
    assert_eq!(run.run_for(10, true), None);
    run.stop(StopCause::Preempted);
    run.now += Duration::from_secs(2 * HANG_LIMIT);
    assert_eq!(run.run_for(GRACE, false), None, "neither hung nor past its grace time");
    assert_eq!(class_of(run.run_for(GRACE, false)), Some(FailureClass::Preempted));
}

#[test]
fn limits_beyond_all_clocks_are_no_trouble() {
    let mut grant = grant();
    grant.run_limit = Seconds::new(f64::MAX).unwrap();
    grant.hang_limit = Seconds::new(1e18).unwrap();
    let now = Instant::now();
    let mut overseer = Overseer::new(&grant, now);
    let signs = Signs { step: 0, moved_limit: None, reported_at: now, in_our_hands: false, stop: None };
    assert_eq!(overseer.look(now, signs), Look::Well(now + LOOK_EVERY));
}

proptest! {
    /// Whatever a run does, it is gone no later than its limit and its grace time, one look aside.
    #[test]
    fn no_run_outlives_its_limit_and_grace(
        silences in prop::collection::vec((1u64..200, any::<bool>()), 1..100),
        asked_after in 0usize..100,
    ) {
        let mut run = Watched::new();
        for (index, (seconds, reports)) in silences.into_iter().cycle().take(1000).enumerate() {
            if index == asked_after {
                run.stop(StopCause::Preempted);
            }
            match run.run_for(seconds, reports) {
                Some(Look::Stop(cause)) => run.stop(cause),
                Some(Look::GiveUp(_)) => break,
                _ => {}
            }
        }
        prop_assert!(run.elapsed() <= RUN_LIMIT + GRACE);
    }
}
