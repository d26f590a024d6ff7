//! The training loop, from top to bottom.

use std::time::Instant;

use contract::{
    Failure, StopCause,
    checkpoints::CheckpointRole,
    classifier::{Augment as AugmentParam, ClassifierParams},
    events::RunResult,
    lease::Progress,
};
use tch::Device;
use torch::{
    beside,
    images::{Augment, Batch, Fit, Scale, TrainBatches, ValBatches},
    use_threads,
};
use training::{
    Identity, Images, Ladder, OutOfMemory, Pace, Source, Work, diverged, slow_precision, transient,
};
use worker::{Control, Run, RunError};

use crate::{
    Classifier, RecordedSteps,
    checkpoint::{restore, snapshot},
    history::{EpochFigures, best_epoch},
    init_from, outcome,
    plan::Plan,
    recorded::replay,
    state::State,
    step::{StepOutcome, study},
    validation::{Validation, validate},
};

/// What stays the same throughout an attempt.
pub(crate) struct Task<'a> {
    pub(crate) run: &'a Run,
    pub(crate) params: &'a ClassifierParams,
    pub(crate) images: &'a Images,
    pub(crate) plan: Plan,
    pub(crate) ladder: &'a Ladder<'a>,
    identity: Identity<ClassifierParams>,
    device: Device,
}

/// Trains from the attempt's checkpoint, or from the start, to the end.
///
/// # Errors
/// As the trainer's contract says.
pub(crate) fn train(
    run: &Run,
    params: &ClassifierParams,
    trainer: &Classifier,
    ladder: &Ladder<'_>,
    control: &mut dyn Control,
) -> Result<RunResult, RunError> {
    let augment = augment(params.augment);
    let images = Images::open(&source(params, augment), &run.data_roots, control, |control| {
        control.report(Progress { step: resumed_from(run), ..Progress::default() });
        control.stop().map_or(Ok(()), |cause| Err(RunError::Stopped(cause)))
    })?;
    let plan = Plan::new(params, images.train.files().len())?;
    ladder.set_batch_size(plan.batch_size);
    ladder.at_least(run.grant.micro_batches.unwrap_or(1));
    let identity = Identity::new(params, &images);
    let task = Task { run, params, images: &images, plan, ladder, identity, device: torch::device() };
    let mut state = task.begin(trainer.threads, control)?;
    use_threads(state.threads);

    let batch_size = plan.batch_size as usize;
    let mut batches = TrainBatches::new(&images.train, augment, params.image_size, batch_size, params.seed);
    let mut recorded = trainer.cuda_graphs.then(|| RecordedSteps::new(task.device));
    let mut prepared = None;
    let mut pace = Pace::new();
    while !plan.is_over(&state.history) {
        if state.step == plan.end_of_epoch(state.history.len()) {
            task.end_epoch(&mut state, &pace, control)?;
            continue;
        }
        let started = Instant::now();
        let batch = prepared.take().unwrap_or_else(|| batches.batch(state.step)).map_err(transient)?;

        // The next batch is made while this one is learned from.
        let next = state.step + 1;
        let (next_batch, step) = beside(
            || (next < plan.steps()).then(|| batches.batch(next)),
            || task.step(&mut state, recorded.as_mut(), &batch, &pace, control),
        );
        prepared = next_batch;
        state.advance(step?);

        pace.step_done(state.step, state.loss.as_ref(), started);
        if pace.is_lost() {
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
    fn begin(&self, threads: u32, control: &mut dyn Control) -> Result<State, RunError> {
        let mut state = State::fresh(self.params, self.images.classes.len(), threads, self.device);
        if let Some(resume) = &self.run.resume {
            let saved = restore(&self.identity, &resume.path, &mut state)?;
            if self.run.grant.micro_batches.is_none() {
                self.ladder.at_least(saved);
            }
        } else if let Some(weights) = &self.params.init_from {
            control.note(init_from::load(&state.model, weights, &self.run.data_roots)?);
        }
        if let Some(note) = slow_precision(self.params.precision, self.device) {
            control.note(note.into());
        }
        if self.plan.batch_size < u64::from(self.params.batch_size) {
            control
                .note(format!("there are {} images to learn from: one batch an epoch", self.plan.batch_size));
        }
        Ok(state)
    }

    /// Learns from a batch (N images), by replaying what was recorded where steps are recorded. When memory does not suffice
    /// for the recording, it is made anew of smaller parts.
    fn step(
        &self,
        state: &mut State,
        recorded: Option<&mut RecordedSteps>,
        batch: &Batch,
        pace: &Pace,
        control: &mut dyn Control,
    ) -> Result<StepOutcome, Failure> {
        let Some(recorded) = recorded else { return self.learn(state, batch, pace, control) };
        let options = self.plan.step_options(state.step, self.ladder.parts());
        if !recorded.is_warm_for(options.manner()) {
            return recorded.warm_up(|| self.learn(state, batch, pace, control));
        }
        state.statistics.keep();
        let replayed = self.ladder.within(|| {
            let (images, labels) = batch.to_device(self.device, Scale::ImageNet); // (N, 3, H, W), (N)
            let about_to = |work, images| self.ladder.about_to(state.step, work, images);
            replay(recorded, &state.model, &mut state.optimizer, (&images, &labels), &options, about_to)
        });
        replayed.or_else(|out| {
            recorded.forget();
            self.descend(state, &out, pace, control)?;
            self.step(state, Some(recorded), batch, pace, control)
        })
    }

    /// Learns from a batch (N images). When memory does not suffice, the norms' statistics are put back and the same
    /// batch is gone through again in more parts: until the optimiser steps, nothing else has changed.
    fn learn(
        &self,
        state: &mut State,
        batch: &Batch,
        pace: &Pace,
        control: &mut dyn Control,
    ) -> Result<StepOutcome, Failure> {
        state.statistics.keep();
        loop {
            let options = self.plan.step_options(state.step, self.ladder.parts());
            let studied = self.ladder.within(|| {
                let (images, labels) = batch.to_device(self.device, Scale::ImageNet); // (N, 3, H, W), (N)
                let about_to = |work, images| self.ladder.about_to(state.step, work, images);
                study(&state.model, state.optimizer.parameters(), &images, &labels, &options, about_to)
            });
            match studied {
                Ok(lesson) => {
                    self.ladder.about_to(state.step, Work::Optimizer, self.plan.batch_size.cast_signed());
                    return Ok(lesson.learn(&mut state.optimizer, &options));
                }
                Err(out) => self.descend(state, &out, pace, control)?,
            }
        }
    }

    /// Makes ready for taking a step again that ran out of memory.
    fn descend(
        &self,
        state: &mut State,
        out: &OutOfMemory,
        pace: &Pace,
        control: &mut dyn Control,
    ) -> Result<(), Failure> {
        state.statistics.put_back();
        self.ladder.descend(out, "the step is taken again", control)?;
        control.report(self.progress(state, pace));
        Ok(())
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
        control.checkpoint(snapshot(&self.identity, state, self.ladder.parts(), role));
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
        loop {
            // Without gradients, a batch takes less memory than a part of one with them.
            let batch_size = self.ladder.images_of_part();
            let batches = ValBatches::new(&self.images.val, self.params.image_size, batch_size as usize);
            let judged = self.ladder.within(|| {
                validate(&state.model, &batches, self.params.label_smoothing, || {
                    control.report(self.progress(state, pace));
                    control.stop().map_or(Ok(()), |cause| Err(RunError::Stopped(cause)))?;
                    self.ladder.about_to(state.step, Work::Validation, batch_size.cast_signed());
                    Ok(())
                })
            });
            match judged {
                Ok(judged) => return judged,
                Err(out) => self.ladder.descend(&out, "validation is done again", control)?,
            }
        }
    }

    fn diverged(&self, state: &State) -> Failure {
        let lr = self.plan.step_options(state.step.saturating_sub(1), 1).lr;
        diverged(state.step, resumed_from(self.run), lr)
    }

    fn progress(&self, state: &State, pace: &Pace) -> Progress {
        Progress {
            step: state.step,
            steps_total: Some(self.plan.steps()),
            epoch: Some(state.history.len() as u32),
            loss: pace.loss,
            steps_per_second: pace.steps_per_second(),
            micro_batches: self.ladder.parts_needed(),
            peak_memory_mib: self.ladder.memory.peak_mib(),
            ..Progress::default()
        }
    }
}

fn source(params: &ClassifierParams, augment: Augment) -> Source<'_> {
    Source {
        folder: &params.data,
        val_split: params.val_split,
        max_unreadable: params.max_unreadable,
        several_classes: true,
        train: augment.fit(params.image_size),
        val: Fit::Square(params.image_size),
    }
}

/// The contract's word for how much images are changed, as the image code knows it.
fn augment(param: AugmentParam) -> Augment {
    match param {
        AugmentParam::None => Augment::None,
        AugmentParam::Light => Augment::Light,
        AugmentParam::Medium => Augment::Medium,
        AugmentParam::Strong => Augment::Strong,
    }
}

fn resumed_from(run: &Run) -> u64 {
    run.resume.as_ref().map_or(0, |resume| resume.manifest.step)
}
