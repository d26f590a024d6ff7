//! Steps a second.

use std::time::Duration;

use tokio::time::Instant;

/// Reports that come faster than this are counted together.
const WINDOW: Duration = Duration::from_secs(1);
/// The share of the newest window in the figure.
const NEWEST: f64 = 0.3;

/// A running mean of the steps a second, from the steps reported.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    mark: Option<(Instant, u64)>,
    rate: Option<f64>,
}

impl Throughput {
    /// Takes a report and tells the mean so far; `None` until a window has passed since the first one.
    pub(crate) fn at(&mut self, step: u64, now: Instant) -> Option<f64> {
        match self.mark {
            Some((since, from)) if from < step => {
                let elapsed = now - since;
                if WINDOW <= elapsed {
                    let newest = (step - from) as f64 / elapsed.as_secs_f64();
                    self.rate = Some(self.rate.map_or(newest, |rate| rate + NEWEST * (newest - rate)));
                    self.mark = Some((now, step));
                }
            }
            Some((_, from)) if from == step => {}
            _ => self.mark = Some((now, step)),
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_steps_give_their_rate_and_a_change_moves_it_gradually() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        let mut at = |step, millis| throughput.at(step, start + Duration::from_millis(millis));

        assert_eq!(at(1, 0), None, "one report is no rate");
        assert_eq!(at(5, 400), None, "the window has not passed");
        assert_eq!(at(11, 1000), Some(10.0));
        assert_eq!(at(21, 2000), Some(10.0));
        assert_eq!(at(41, 3000), Some(13.0));
        assert_eq!(at(41, 9000), Some(13.0), "the same step again, during validation say, changes nothing");
    }

    #[test]
    fn a_step_that_goes_back_starts_the_measure_anew() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        throughput.at(100, start);
        assert_eq!(throughput.at(50, start + Duration::from_secs(1)), None);
        assert_eq!(throughput.at(70, start + Duration::from_secs(3)), Some(10.0));
    }
}
