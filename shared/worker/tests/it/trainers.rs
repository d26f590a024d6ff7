//! Trainers that do as a test needs.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use contract::{Workload, checkpoints::CheckpointRole, events::RunResult, lease::Progress};
use worker::{Control, Run, RunError, Snapshot, Trainer};

/// A trainer made of a function.
pub(crate) struct Scripted<F>(pub(crate) F);

impl<F> Trainer for Scripted<F>
where
    F: Fn(&Run, &mut dyn Control) -> Result<RunResult, RunError> + Send + Sync + 'static,
{
    fn workload(&self) -> Workload {
        Workload::new("classifier").unwrap()
    }

    fn run(&self, run: &Run, control: &mut dyn Control) -> Result<RunResult, RunError> {
        (self.0)(run, control)
    }
}

/// Trains as a real loop does: steps from where it left off, checkpoints when due, and stops when told.
pub(crate) fn train_until_stopped(run: &Run, control: &mut dyn Control) -> Result<RunResult, RunError> {
    let mut step = resumed_step(run);
    loop {
        if let Some(cause) = control.stop() {
            if cause.wants_checkpoint() {
                control.checkpoint(state(step, CheckpointRole::Periodic));
                control.flush()?;
            }
            return Err(RunError::Stopped(cause));
        }
        step += 1;
        control.report(at_step(step));
        if control.checkpoint_due() {
            control.checkpoint(state(step, CheckpointRole::Periodic));
        }
        a_step_takes_a_moment();
    }
}

/// Trains until the test says that it is enough.
pub(crate) fn train_until_told(run: &Run, control: &mut dyn Control, enough: &Receiver<()>) -> u64 {
    let mut step = resumed_step(run);
    while let Err(RecvTimeoutError::Timeout) = enough.recv_timeout(Duration::from_millis(1)) {
        step += 1;
        control.report(at_step(step));
    }
    step
}

/// Never stops, whatever it is told.
pub(crate) fn be_stuck() -> ! {
    loop {
        std::thread::park();
    }
}

pub(crate) fn a_step_takes_a_moment() {
    std::thread::park_timeout(Duration::from_millis(1));
}

pub(crate) fn at_step(step: u64) -> Progress {
    Progress { step, loss: Some(1.0 / (step + 1) as f64), ..Progress::default() }
}

/// A state that holds its step, as text.
pub(crate) fn state(step: u64, role: CheckpointRole) -> Snapshot {
    Snapshot {
        step,
        role,
        metrics: BTreeMap::new(),
        pause: Duration::ZERO,
        write: Box::new(move |path: &Path| Ok(std::fs::write(path, step.to_string())?)),
    }
}

/// The step a run goes on from, read from the bytes it was given.
pub(crate) fn resumed_step(run: &Run) -> u64 {
    run.resume.as_ref().map_or(0, |resume| std::fs::read_to_string(&resume.path).unwrap().parse().unwrap())
}
