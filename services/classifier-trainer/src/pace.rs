//! How fast a run is, and when its loss is read.

use std::time::{Duration, Instant};

use crate::{plan::Plan, state::State};

/// The loss is read from the device every so many steps, because reading waits for it.
const STEPS_BETWEEN_LOSSES: u64 = 10;
/// And at least so often, where steps are slow.
const TIME_BETWEEN_LOSSES: Duration = Duration::from_secs(1);

/// How fast steps are, and the last loss that was read.
pub(crate) struct Pace {
    steps: u64,
    busy: Duration,
    pub(crate) loss: Option<f64>,
    loss_read: Instant,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { steps: 0, busy: Duration::ZERO, loss: None, loss_read: Instant::now() }
    }

    pub(crate) fn step_done(&mut self, state: &State, started: Instant) {
        let due = state.step.is_multiple_of(STEPS_BETWEEN_LOSSES) || self.steps == 0;
        if due || TIME_BETWEEN_LOSSES <= self.loss_read.elapsed() {
            self.loss = state.loss.as_ref().map(|loss| loss.double_value(&[]));
            self.loss_read = Instant::now();
        }
        self.steps += 1;
        self.busy += started.elapsed();
    }

    pub(crate) fn steps_per_second(&self) -> Option<f64> {
        (0 < self.steps).then(|| self.steps as f64 / self.busy.as_secs_f64())
    }

    pub(crate) fn images_per_second(&self, plan: &Plan) -> Option<f64> {
        self.steps_per_second().map(|steps| steps * plan.batch_size as f64)
    }
}
