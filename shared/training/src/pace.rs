//! How fast a run is, and when its loss is read.

use std::time::{Duration, Instant};

use tch::Tensor;

/// The loss is read from the device every so many steps, because reading waits for it.
const STEPS_BETWEEN_LOSSES: u64 = 10;
/// And at least so often, where steps are slow.
const TIME_BETWEEN_LOSSES: Duration = Duration::from_secs(1);

/// How fast steps are, and the last loss that was read.
#[derive(Debug)]
pub struct Pace {
    steps: u64,
    busy: Duration,
    /// The loss of a step not long ago.
    pub loss: Option<f64>,
    loss_read: Instant,
}

impl Pace {
    /// Of a run that is about to take its first step here.
    #[expect(clippy::new_without_default, reason = "it looks at the clock")]
    pub fn new() -> Self {
        Self { steps: 0, busy: Duration::ZERO, loss: None, loss_read: Instant::now() }
    }

    /// Takes note of the step after which `step` are finished, begun at `started`, whose loss is still on the device.
    pub fn step_done(&mut self, step: u64, loss: Option<&Tensor>, started: Instant) {
        let due = step.is_multiple_of(STEPS_BETWEEN_LOSSES) || self.steps == 0;
        if due || TIME_BETWEEN_LOSSES <= self.loss_read.elapsed() {
            self.loss = loss.map(|loss| loss.double_value(&[]));
            self.loss_read = Instant::now();
        }
        self.steps += 1;
        self.busy += started.elapsed();
    }

    /// Whether the last loss that was read is no number.
    pub fn is_lost(&self) -> bool {
        self.loss.is_some_and(|loss| !loss.is_finite())
    }

    /// Over all steps of the attempt.
    pub fn steps_per_second(&self) -> Option<f64> {
        (0 < self.steps).then(|| self.steps as f64 / self.busy.as_secs_f64())
    }
}
