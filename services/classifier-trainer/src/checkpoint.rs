//! What a checkpoint holds, and how a run goes on from one.

use std::{collections::BTreeMap, path::Path, time::Instant};

use contract::{Failure, checkpoints::CheckpointRole, classifier::ClassifierParams};
use tch::Tensor;
use torch::cpu_copy;
use training::{Identity, Point, Saved};
use worker::Snapshot;

use crate::{
    history::{EpochFigures, best_epoch},
    state::State,
};

/// Copies the state, so that it can be written while training goes on.
pub(crate) fn snapshot(
    identity: &Identity<ClassifierParams>,
    state: &State,
    parts: u32,
    role: CheckpointRole,
) -> Snapshot {
    let began = Instant::now();
    let mut tensors: BTreeMap<String, Tensor> =
        live_tensors(state).map(|(name, tensor)| (name, cpu_copy(&tensor))).collect();
    // Those of the best epoch never change, so they are shared, not copied.
    tensors.extend(state.best.iter().map(|(name, tensor)| (format!("best.{name}"), tensor.shallow_clone())));
    let point = Point {
        step: state.step,
        history: &state.history,
        threads: state.threads,
        parts,
        metrics: state.history.last().map(EpochFigures::by_name).unwrap_or_default(),
    };
    identity.snapshot(point, tensors, role, began)
}

/// Puts the state of the file into a fresh one. Returns how many parts a batch was computed in.
///
/// # Errors
/// Permanent, when the file is of another run, and in what it differs; transient, when it cannot be read.
pub(crate) fn restore(
    identity: &Identity<ClassifierParams>,
    path: &Path,
    state: &mut State,
) -> Result<u32, Failure> {
    let mut saved: Saved<Vec<EpochFigures>> = identity.read(path)?;
    if best_epoch(&saved.history).is_some() {
        for name in state.model.tensors().into_keys() {
            let best = saved.take(&format!("best.{name}"))?;
            state.best.insert(name, best);
        }
    }
    saved.restore(live_tensors(state))?;
    state.step = saved.step;
    state.optimizer.set_steps(saved.step);
    state.history = saved.history;
    state.threads = saved.threads;
    Ok(saved.parts)
}

/// The tensors that change from step to step, by their names in the file.
fn live_tensors(state: &State) -> impl Iterator<Item = (String, Tensor)> {
    let model = state.model.tensors().into_iter().map(|(name, tensor)| (format!("model.{name}"), tensor));
    let moments = state.optimizer.state().map(|(name, t)| (format!("optimizer.{name}"), t.shallow_clone()));
    model.chain(moments).chain([("epoch.sums".to_owned(), state.sums.shallow_clone())])
}
