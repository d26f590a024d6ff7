//! The training loop, from top to bottom.

use std::time::Instant;

use contract::{
    Failure, StopCause, checkpoints::CheckpointRole, dit::DitParams, events::RunResult, lease::Progress,
};
use tch::{Device, Tensor};
use torch::{
    beside,
    images::{Augment, Batch, Fit, Scale, TrainBatches, ValBatches},
    use_threads,
};
use training::{Identity, Images, Ladder, Pace, Source, Work, diverged, slow_precision, transient};
use worker::{Control, Run, RunError};

use crate::{
    DitTrainer, RecordedSteps,
    checkpoint::{restore, snapshot},
    flow::{Draw, Drawing},
    history::{Figures, best},
    model::patchify,
    outcome,
    plan::Plan,
    recorded::replay,
    state::State,
    step::{StepOutcome, study},
    validation::validate,
};

/// What stays the same throughout an attempt.
pub(crate) struct Task<'a> {
    pub(crate) run: &'a Run,
    pub(crate) params: &'a DitParams,
    pub(crate) images: &'a Images,
    pub(crate) plan: Plan,
    pub(crate) ladder: &'a Ladder<'a>,
    identity: Identity<DitParams>,
    drawing: Drawing,
    device: Device,
}

/// Trains from the attempt's checkpoint, or from the start, to the end.
///
/// # Errors
/// As the trainer's contract says.
pub(crate) fn train(
    run: &Run,
    params: &DitParams,
    trainer: &DitTrainer,
    ladder: &Ladder<'_>,
    control: &mut dyn Control,
) -> Result<RunResult, RunError> {
    let images = Images::open(&source(params), &run.data_roots, control, |control| {
        control.report(Progress { step: resumed_from(run), ..Progress::default() });
        control.stop().map_or(Ok(()), |cause| Err(RunError::Stopped(cause)))
    })?;
    let plan = Plan::new(params, images.train.files().len())?;
    ladder.set_batch_size(plan.batch_size);
    ladder.at_least(run.grant.micro_batches.unwrap_or(1));
    let drawing = Drawing {
        seed: params.seed,
        time: params.time,
        class_dropout: params.class_dropout,
        no_class: images.classes.len() as i64,
    };
    let identity = Identity::new(params, &images);
    let task =
        Task { run, params, images: &images, plan, ladder, identity, drawing, device: torch::device() };
    let mut state = task.begin(trainer.threads, control)?;
    use_threads(state.threads);

    let size = params.shape().image_size;
    let mut batches =
        TrainBatches::new(&images.train, augment(params), size, plan.batch_size as usize, params.seed);
    let mut recorded = trainer.cuda_graphs.then(|| RecordedSteps::new(task.device));
    let mut prepared = None;
    let mut pace = Pace::new();
    let mut sampled_at = None;
    while !plan.is_over(&state.history) {
        if state.step == plan.validated_at(state.history.len()) {
            task.validate(&mut state, &pace, control)?;
            continue;
        }
        if plan.samples_at(state.step) && sampled_at.replace(state.step) != Some(state.step) {
            task.sample(&state, &pace, control)?;
        }
        let started = Instant::now();
        let batch = prepared.take().unwrap_or_else(|| batches.batch(state.step)).map_err(transient)?;

        // The next batch is made while this one is learned from.
        let next = state.step + 1;
        let (next_batch, step) = beside(
            || (next < plan.steps).then(|| batches.batch(next)),
            || task.step(&mut state, recorded.as_mut(), &batch, control),
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
        }
        if let Some(note) = slow_precision(self.params.precision, self.device) {
            control.note(note.into());
        }
        if self.plan.batch_size < u64::from(self.params.batch_size) {
            control
                .note(format!("there are {} images to learn from: one batch a pass", self.plan.batch_size));
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
        control: &mut dyn Control,
    ) -> Result<StepOutcome, Failure> {
        let Some(recorded) = recorded else { return self.learn(state, batch, control) };
        let options = self.plan.step_options(state.step, self.ladder.parts());
        if !recorded.is_warm_for(options.manner()) {
            return recorded.warm_up(|| self.learn(state, batch, control));
        }
        let replayed = self.ladder.within(|| {
            let (patches, draw) = self.inputs(state.step, batch);
            let about_to = |work, images| self.ladder.about_to(state.step, work, images);
            replay(recorded, &state.model, &mut state.optimizer, (&patches, &draw), &options, about_to)
        });
        replayed.or_else(|out| {
            recorded.forget();
            self.ladder.descend(&out, "the step is taken again", control)?;
            self.step(state, Some(recorded), batch, control)
        })
    }

    /// Learns from a batch (N images). When memory does not suffice, the same batch is gone through again in more parts:
    /// until the optimiser steps, nothing has changed.
    fn learn(
        &self,
        state: &mut State,
        batch: &Batch,
        control: &mut dyn Control,
    ) -> Result<StepOutcome, Failure> {
        loop {
            let options = self.plan.step_options(state.step, self.ladder.parts());
            let studied = self.ladder.within(|| {
                let (patches, draw) = self.inputs(state.step, batch);
                let about_to = |work, images| self.ladder.about_to(state.step, work, images);
                study(&state.model, state.optimizer.parameters(), &patches, &draw, &options, about_to)
            });
            match studied {
                Ok(lesson) => {
                    self.ladder.about_to(state.step, Work::Optimizer, self.plan.batch_size.cast_signed());
                    return Ok(lesson.learn(&mut state.optimizer, &options));
                }
                Err(out) => self.ladder.descend(&out, "the step is taken again", control)?,
            }
        }
    }

    /// A batch (N images) as patches (N, T, D), and what is drawn for them.
    fn inputs(&self, step: u64, batch: &Batch) -> (Tensor, Draw) {
        let (images, labels) = batch.to_device(self.device, Scale::Signed); // (N, 3, H, W), (N)
        let patches = patchify(&images, self.params.shape().patch_size);
        let draw = self.drawing.draw(step, &patches.size(), &labels);
        (patches, draw)
    }

    /// Judges the averaged network and takes note of it. Interrupted, it is done again by the next attempt.
    fn validate(&self, state: &mut State, pace: &Pace, control: &mut dyn Control) -> Result<(), RunError> {
        if !state.is_finite() {
            return Err(self.diverged(state).into());
        }
        let val_loss = match self.loss_held_out(state, pace, control) {
            Err(RunError::Stopped(cause)) => return Err(self.stop(state, cause, control)),
            other => other?,
        };
        let steps = self.plan.steps_before(state.history.len()) as f64;
        let train_loss = state.loss_sum.double_value(&[]) / steps;
        let figures = Figures { step: state.step, train_loss, val_loss };
        state.history.push(figures);
        let _ = state.loss_sum.zero_();
        control.report(self.progress(state, pace));
        control.metrics(state.step, figures.by_name());
        if best(&state.history) == Some(state.history.len() - 1) {
            self.save(state, CheckpointRole::Best, control)?;
        }
        Ok(())
    }

    fn loss_held_out(&self, state: &State, pace: &Pace, control: &mut dyn Control) -> Result<f64, RunError> {
        loop {
            // Without gradients, a batch takes less memory than a part of one with them.
            let batch_size = self.ladder.images_of_part();
            let size = self.params.shape().image_size;
            let batches = ValBatches::new(&self.images.val, size, batch_size as usize);
            let judged = self.ladder.within(|| {
                validate(&state.average, &batches, self.params.seed, || {
                    self.meanwhile(state, pace, control)?;
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

    /// Draws samples of the averaged network as it is.
    fn sample(&self, state: &State, pace: &Pace, control: &mut dyn Control) -> Result<(), RunError> {
        match outcome::keep_samples(self, state, &format!("samples-{:07}.png", state.step), pace, control) {
            Err(RunError::Stopped(cause)) => Err(self.stop(state, cause, control)),
            other => other,
        }
    }

    /// Between two pieces of work that are no steps: tells that the run is alive, and hears whether it shall stop.
    ///
    /// # Errors
    /// [`RunError::Stopped`]; nothing has been saved then.
    pub(crate) fn meanwhile(
        &self,
        state: &State,
        pace: &Pace,
        control: &mut dyn Control,
    ) -> Result<(), RunError> {
        control.report(self.progress(state, pace));
        control.stop().map_or(Ok(()), |cause| Err(RunError::Stopped(cause)))
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

    fn diverged(&self, state: &State) -> Failure {
        let lr = self.plan.step_options(state.step.saturating_sub(1), 1).lr;
        diverged(state.step, resumed_from(self.run), lr)
    }

    fn progress(&self, state: &State, pace: &Pace) -> Progress {
        Progress {
            step: state.step,
            steps_total: Some(self.plan.steps),
            loss: pace.loss,
            steps_per_second: pace.steps_per_second(),
            micro_batches: self.ladder.parts_needed(),
            peak_memory_mib: self.ladder.memory.peak_mib(),
            ..Progress::default()
        }
    }
}

fn source(params: &DitParams) -> Source<'_> {
    let size = params.shape().image_size;
    Source {
        folder: &params.data,
        val_split: params.val_split,
        max_unreadable: params.max_unreadable,
        several_classes: false,
        train: augment(params).fit(size),
        val: Fit::Square(size),
    }
}

fn augment(params: &DitParams) -> Augment {
    if params.flip { Augment::Flip } else { Augment::None }
}

fn resumed_from(run: &Run) -> u64 {
    run.resume.as_ref().map_or(0, |resume| resume.manifest.step)
}
