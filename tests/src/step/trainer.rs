//! The loop of the step workload.

use std::{collections::BTreeMap, fs, io::Write, time::Duration};

use contract::{
    Failure, FailureClass, StopCause, Workload, checkpoints::CheckpointRole, events::RunResult,
    lease::Progress,
};
use worker::{Control, Run, RunError, Snapshot, Trainer};

use super::{ARTIFACT, Fault, How, NOP, SCORE, StepParams, WORKLOAD, Weights};
use crate::hold::{Hold, Part};

/// Trains hash chains.
#[derive(Debug)]
pub struct StepTrainer;

/// Succeeds at once.
#[derive(Debug)]
pub struct NopTrainer;

impl Trainer for NopTrainer {
    fn workload(&self) -> Workload {
        Workload::new(NOP).expect("the name is a valid one")
    }

    fn run(&self, _: &Run, _: &mut dyn Control) -> Result<RunResult, RunError> {
        Ok(RunResult::default())
    }
}

impl Trainer for StepTrainer {
    fn workload(&self) -> Workload {
        Workload::new(WORKLOAD).expect("the name is a valid one")
    }

    fn run(&self, run: &Run, control: &mut dyn Control) -> Result<RunResult, RunError> {
        let params = StepParams::parse(&run.grant.params)?;
        let attempt = run.grant.attempt;
        let (start, mut weights) = match &run.resume {
            Some(resume) => {
                let step = resume.manifest.step;
                let weights = Weights::from_checkpoint(&resume.path, step)
                    .map_err(|error| Failure::permanent(format!("{error:#}")))?;
                (step, weights)
            }
            None => (0, Weights::initial(params.seed)),
        };

        for step in start..params.steps {
            wait_until_released(&params.holds, step, attempt, control);
            if let Some(cause) = control.stop() {
                return stop(cause, snapshot(&params, weights, step, attempt), control);
            }
            fail_on_purpose(&params.faults, step, attempt, start)?;

            compute(params.step_ms);
            weights = weights.after(step);
            let finished = step + 1;
            control.report(Progress {
                step: finished,
                steps_total: Some(params.steps),
                ..Progress::default()
            });
            if is_due(params.report_every, finished) {
                control.metrics(finished, BTreeMap::from([(SCORE.into(), params.score)]));
            }

            let by_steps = is_due(params.checkpoint_every, finished);
            let and_wait = is_due(params.commit_every, finished);
            if finished < params.steps && (by_steps || and_wait || control.checkpoint_due()) {
                control.checkpoint(snapshot(&params, weights, finished, attempt));
                if and_wait {
                    control.flush()?;
                }
            }
        }

        control.checkpoint(Snapshot {
            role: CheckpointRole::Final,
            ..snapshot(&params, weights, params.steps, attempt)
        });
        control.flush()?;
        let file = run.folder.join(ARTIFACT);
        fs::write(&file, weights.to_string()).map_err(|error| Failure::transient(error.to_string()))?;
        control.artifact(ARTIFACT, &file)?;
        Ok(RunResult {
            metrics: BTreeMap::from([("steps".into(), params.steps as f64)]),
            ..RunResult::default()
        })
    }
}

/// Ends the run for `cause`, with its state saved where the cause wants that.
fn stop(cause: StopCause, state: Snapshot, control: &mut dyn Control) -> Result<RunResult, RunError> {
    if cause.wants_checkpoint() && 0 < state.step {
        control.checkpoint(state);
        control.flush()?;
    }
    Err(RunError::Stopped(cause))
}

/// A state to be saved. Where a hold says so, its writing stands still with half of the file on the disk.
fn snapshot(params: &StepParams, weights: Weights, step: u64, attempt: u32) -> Snapshot {
    let hold = hold_at(&params.holds, Part::Checkpoint, step, attempt);
    Snapshot {
        step,
        role: CheckpointRole::Periodic,
        metrics: BTreeMap::new(),
        pause: Duration::ZERO,
        write: Box::new(move |path| {
            let bytes = weights.to_checkpoint(step);
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let mut file = fs::File::create(path)?;
            file.write_all(first)?;
            if let Some(hold) = &hold {
                hold.wait(|| false);
            }
            file.write_all(second)?;
            Ok(())
        }),
    }
}

fn is_due(every: u64, finished: u64) -> bool {
    every != 0 && finished.is_multiple_of(every)
}

fn wait_until_released(holds: &[Hold], step: u64, attempt: u32, control: &dyn Control) {
    if let Some(hold) = hold_at(holds, Part::Step, step, attempt) {
        hold.wait(|| control.stop().is_some());
    }
}

fn hold_at(holds: &[Hold], part: Part, step: u64, attempt: u32) -> Option<Hold> {
    holds.iter().find(|hold| hold.is_at(part, step, attempt)).cloned()
}

fn fail_on_purpose(faults: &[Fault], step: u64, attempt: u32, start: u64) -> Result<(), Failure> {
    let due = |fault: &&Fault| fault.step == step && attempt <= fault.last_attempt;
    match faults.iter().find(due).map(|fault| fault.how) {
        None => Ok(()),
        Some(How::Fail(class)) => Err(Failure::new(class, format!("failed on purpose at step {step}"))),
        Some(How::Panic) => panic!("panicked on purpose at step {step}"),
        Some(How::Abort) => std::process::abort(),
        Some(How::Diverge) => Err(Failure::diverged(
            start,
            format!("no number on purpose at step {step}, gone on from step {start}"),
        )),
        Some(How::Hoard(mib)) => hoard(mib),
    }
}

fn hoard(mib: usize) -> Result<(), Failure> {
    const PAGE: usize = 4096;
    let mut hoard: Vec<u8> = Vec::new();
    let refused = |error| Failure::new(FailureClass::Oom, format!("{mib} MiB more: {error}"));
    hoard.try_reserve_exact(mib << 20).map_err(refused)?;
    // Only what is written to takes memory.
    for byte in hoard.spare_capacity_mut().iter_mut().step_by(PAGE) {
        byte.write(1);
    }
    std::mem::forget(hoard);
    Ok(())
}

/// Stands for a step's computing.
fn compute(step_ms: u64) {
    if 0 < step_ms {
        #[expect(clippy::disallowed_methods, reason = "this is the work itself, on the run's own thread")]
        std::thread::sleep(Duration::from_millis(step_ms));
    }
}
