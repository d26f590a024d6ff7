//! The training loop, from top to bottom.

use std::time::Instant;

use contract::{
    Failure, StopCause, checkpoints::CheckpointRole, classifier::ClassifierParams, events::RunResult,
    lease::Progress,
};
use tch::Device;
use torch::{
    beside,
    images::{TrainBatches, ValBatches},
    use_threads,
};
use worker::{Control, Run, RunError};

use crate::{
    checkpoint::Identity,
    data::{self, Images},
    divergence,
    failure::transient,
    history::{EpochFigures, best_epoch},
    init_from, outcome,
    pace::Pace,
    plan::Plan,
    state::State,
    step::train_step,
    validation::{Validation, validate},
};

/// What an attempt computes with, unless its checkpoint says otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    /// Threads, on the CPU.
    pub(crate) threads: u32,
    /// Parts a batch is computed in.
    pub(crate) accumulation: u32,
}

/// What stays the same throughout an attempt.
pub(crate) struct Task<'a> {
    pub(crate) run: &'a Run,
    pub(crate) params: &'a ClassifierParams,
    pub(crate) images: &'a Images,
    pub(crate) plan: Plan,
    identity: Identity,
    device: Device,
}

/// Trains from the attempt's checkpoint, or from the start, to the end.
///
/// # Errors
/// As the trainer's contract says.
pub(crate) fn train(
    run: &Run,
    params: &ClassifierParams,
    means: Means,
    control: &mut dyn Control,
) -> Result<RunResult, RunError> {
    let images = data::open(params, &run.data_roots, control, |control| {
        control.report(Progress { step: resumed_from(run), ..Progress::default() });
        control.stop().map_or(Ok(()), |cause| Err(RunError::Stopped(cause)))
    })?;
    let plan = Plan::new(params, images.train.files().len(), means.accumulation)?;
    let identity = Identity::new(params, &images);
    let task = Task { run, params, images: &images, plan, identity, device: torch::device() };
    let mut state = task.begin(means, control)?;
    use_threads(state.threads);

    let augment = data::augment(params.augment);
    let batch_size = plan.batch_size as usize;
    let mut batches = TrainBatches::new(&images.train, augment, params.image_size, batch_size, params.seed);
    let mut prepared = None;
    let mut pace = Pace::new();
    while !plan.is_over(&state.history) {
        if state.step == plan.end_of_epoch(state.history.len()) {
            task.end_epoch(&mut state, &pace, control)?;
            continue;
        }
        let started = Instant::now();
        let batch = prepared.take().unwrap_or_else(|| batches.batch(state.step)).map_err(transient)?;
        let (images, labels) = batch.to_device(task.device); // (N, 3, H, W), (N)

        // The next batch is made while this one is learned from.
        let options = plan.step_options(state.step, state.accumulation);
        let next = state.step + 1;
        let (next_batch, step) = beside(
            || (next < plan.steps()).then(|| batches.batch(next)),
            || train_step(&state.model, &mut state.optimizer, &images, &labels, &options),
        );
        prepared = next_batch;
        state.advance(step);

        pace.step_done(&state, started);
        if pace.loss.is_some_and(|loss| !loss.is_finite()) {
            return Err(task.diverged(&state).into());
        }
        control.report(task.progress(&state, &pace));
        let every = u64::from(params.checkpoint_every_steps);
        if control.checkpoint_due() || (0 < every && state.step.is_multiple_of(every)) {
            task.save(&state, CheckpointRole::Periodic, control)?;
        }
        if let Some(cause) = control.stop() {
            return Err(task.stop(&state, cause, control));
        }
    }
    outcome::conclude(&task, &state, &pace, control)
}

impl Task<'_> {
    /// The state to go on from.
    fn begin(&self, means: Means, control: &mut dyn Control) -> Result<State, RunError> {
        let mut state = State::fresh(self.params, self.images.classes.len(), means, self.device);
        if let Some(resume) = &self.run.resume {
            self.identity.restore(&resume.path, &mut state)?;
        } else if let Some(weights) = &self.params.init_from {
            control.note(init_from::load(&state.model, weights, &self.run.data_roots)?);
        }
        if self.plan.batch_size < u64::from(self.params.batch_size) {
            control
                .note(format!("there are {} images to learn from: one batch an epoch", self.plan.batch_size));
        }
        Ok(state)
    }

    /// Judges the model after an epoch and takes note of it. Interrupted, it is done again by the next attempt.
    fn end_epoch(&self, state: &mut State, pace: &Pace, control: &mut dyn Control) -> Result<(), RunError> {
        if !state.is_finite() {
            return Err(self.diverged(state).into());
        }
        let steps = self.plan.steps_per_epoch;
        let (train_loss, train_accuracy) = state.train_figures(steps, steps * self.plan.batch_size);
        let validation = match self.validate(state, pace, control) {
            Err(RunError::Stopped(cause)) => return Err(self.stop(state, cause, control)),
            other => other?,
        };

        state.history.push(EpochFigures {
            train_loss,
            train_accuracy,
            val_loss: validation.loss,
            val_accuracy: validation.accuracy,
        });
        let _ = state.sums.zero_();
        let figures = state.history.last().expect("it was pushed above").by_name();
        // The epoch that the figures belong to is the one last reported.
        control.report(self.progress(state, pace));
        control.metrics(state.step, figures);
        if best_epoch(&state.history) == Some(state.history.len() - 1) {
            state.best = state.model_copy();
            self.save(state, CheckpointRole::Best, control)?;
        }
        Ok(())
    }

    /// Hands a copy of the state over to be written. A state that is no good is never written.
    pub(crate) fn save(
        &self,
        state: &State,
        role: CheckpointRole,
        control: &mut dyn Control,
    ) -> Result<(), Failure> {
        if !state.is_finite() {
            return Err(self.diverged(state));
        }
        control.checkpoint(self.identity.snapshot(state, role));
        Ok(())
    }

    /// What comes of being told to stop: saved first, where the cause wants it.
    fn stop(&self, state: &State, cause: StopCause, control: &mut dyn Control) -> RunError {
        if cause.wants_checkpoint() {
            let saved = self.save(state, CheckpointRole::Periodic, control).map_err(RunError::from);
            if let Err(error) = saved.and_then(|()| control.flush()) {
                return error;
            }
        }
        RunError::Stopped(cause)
    }

    /// Judges the model by what is held out.
    ///
    /// # Errors
    /// [`RunError::Stopped`] when it was told to stop meanwhile; nothing has been saved then.
    pub(crate) fn validate(
        &self,
        state: &State,
        pace: &Pace,
        control: &mut dyn Control,
    ) -> Result<Validation, RunError> {
        // Without gradients, a batch takes less memory than a part of one with them.
        let batch_size = self.plan.batch_size.div_ceil(u64::from(state.accumulation)) as usize;
        let batches = ValBatches::new(&self.images.val, self.params.image_size, batch_size);
        validate(&state.model, &batches, self.params.label_smoothing, || {
            control.report(self.progress(state, pace));
            control.stop().map_or(Ok(()), |cause| Err(RunError::Stopped(cause)))
        })
    }

    fn diverged(&self, state: &State) -> Failure {
        let lr = self.plan.step_options(state.step.saturating_sub(1), 1).lr;
        divergence::failure(&self.run.folder, resumed_from(self.run), state.step, lr)
    }

    fn progress(&self, state: &State, pace: &Pace) -> Progress {
        Progress {
            step: state.step,
            steps_total: Some(self.plan.steps()),
            epoch: Some(state.history.len() as u32),
            loss: pace.loss,
            steps_per_second: pace.steps_per_second(),
            checkpoint_step: None,
        }
    }
}

fn resumed_from(run: &Run) -> u64 {
    run.resume.as_ref().map_or(0, |resume| resume.manifest.step)
}
