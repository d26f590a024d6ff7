//! Sweeps as others see them, small enough for one message.

use contract::{
    MAX_MESSAGE_BYTES, StopCause, SubmitSweep, SweepView,
    control::JobState,
    sweep::{BestTrial, SweepState, SweepSummary, TrialView},
};
use policy::sweep::is_better;

use super::record::{Halt, Sweep, Trial};
use crate::core::Core;

/// What a view may come to.
const MOST_BYTES: usize = MAX_MESSAGE_BYTES - 2048;

impl Core {
    /// A sweep with its trials after a number, as many as fit.
    pub(super) fn sweep_view(&self, sweep: &Sweep, after: u32) -> SweepView {
        let numbers = after.saturating_add(1)..=sweep.count;
        let mut view = SweepView {
            summary: self.sweep_summary(sweep),
            submission: SubmitSweep { max_usd: sweep.max_usd, ..sweep.submission.clone() },
            trials: Vec::new(),
            more: false,
        };
        let mut room = MOST_BYTES.saturating_sub(contract::encode(&view).len());
        for number in numbers {
            let trial = self.trial_view(sweep, number);
            let bytes = serde_json::to_vec(&trial).map_or(0, |json| json.len() + 1);
            if room < bytes && !view.trials.is_empty() {
                view.more = true;
                break;
            }
            room = room.saturating_sub(bytes);
            view.trials.push(trial);
        }
        view
    }

    fn trial_view(&self, sweep: &Sweep, number: u32) -> TrialView {
        let job_id = sweep.id.trial(number);
        let launched = sweep.trial(number);
        let nothing = Trial::default();
        let trial = launched.unwrap_or(&nothing);
        let state = launched.and_then(|trial| {
            trial.end.or_else(|| Some(self.jobs.get(&job_id).map_or(JobState::Queued, |job| job.state())))
        });
        TrialView {
            number,
            params: sweep.params(number),
            state,
            cause: trial.cause,
            best: trial.best,
            last: trial.last,
            step: trial.step,
            rungs: trial.rungs.len() as u32,
            usd: self.spent_by_trial(sweep, number, trial),
            job_id,
        }
    }

    /// A sweep in one line.
    pub(crate) fn sweep_summary(&self, sweep: &Sweep) -> SweepSummary {
        let ended =
            |holds: &dyn Fn(&Trial) -> bool| sweep.trials.iter().filter(|trial| holds(trial)).count() as u32;
        SweepSummary {
            sweep_id: sweep.id.clone(),
            workload: sweep.submission.job.workload.clone(),
            owner: sweep.submission.job.owner.clone(),
            state: sweep.state(),
            why: match &sweep.halt {
                Some(Halt::Stopped { why }) => Some(why.clone()),
                Some(Halt::Cancelled) if sweep.state() == SweepState::Stopping => Some("cancelled".into()),
                _ => None,
            },
            trials: sweep.count,
            launched: sweep.launched(),
            live: sweep.live(),
            succeeded: ended(&|trial| trial.end == Some(JobState::Succeeded)),
            stopped_early: ended(&|trial| trial.cause == Some(StopCause::EarlyStopped)),
            dead: ended(&|trial| trial.end == Some(JobState::Dead)),
            best: best(sweep),
            usd: self.spent_by(sweep),
            submitted_at: sweep.submitted_at,
        }
    }
}

/// The trial with the best figure; the first of equals.
fn best(sweep: &Sweep) -> Option<BestTrial> {
    let direction = sweep.submission.objective.as_ref()?.direction;
    let figures = (1..).zip(&sweep.trials).filter_map(|(number, trial)| Some((number, trial.best?)));
    let (number, value) =
        figures.reduce(|best, next| if is_better(direction, next.1, best.1) { next } else { best })?;
    Some(BestTrial { number, job_id: sweep.id.trial(number), value, params: sweep.params(number) })
}
