//! What a checkpoint holds, and how a run goes on from one.

use std::{collections::BTreeMap, path::Path, time::Instant};

use contract::{Failure, checkpoints::CheckpointRole, dit::DitParams};
use tch::{Device, Tensor};
use torch::cpu_copy;
use training::{Found, Identity, Point, Saved, precision};
use worker::Snapshot;

use crate::{Dit, DitConfig, history::Figures, state::State};

/// Copies the state, so that it can be written while training goes on.
pub(crate) fn snapshot(
    identity: &Identity<DitParams>,
    state: &State,
    parts: u32,
    role: CheckpointRole,
) -> Snapshot {
    let began = Instant::now();
    let tensors: BTreeMap<String, Tensor> =
        live_tensors(state).map(|(name, tensor)| (name, cpu_copy(&tensor))).collect();
    let point = Point {
        step: state.step,
        history: &state.history,
        threads: state.threads,
        parts,
        metrics: state.history.last().map(Figures::by_name).unwrap_or_default(),
    };
    identity.snapshot(point, tensors, role, began)
}

/// Puts the state of the file into a fresh one. Returns how many parts a batch was computed in.
///
/// # Errors
/// Permanent, when the file is of another run, and in what it differs; transient, when it cannot be read.
pub(crate) fn restore(
    identity: &Identity<DitParams>,
    path: &Path,
    state: &mut State,
) -> Result<u32, Failure> {
    let mut saved: Saved<Vec<Figures>> = identity.read(path)?;
    saved.restore(live_tensors(state))?;
    state.step = saved.step;
    state.optimizer.set_steps(saved.step);
    state.history = saved.history;
    state.threads = saved.threads;
    Ok(saved.parts)
}

/// The tensors that change from step to step, by their names in the file.
fn live_tensors(state: &State) -> impl Iterator<Item = (String, Tensor)> {
    let model = state.model.parameters().map(|(name, tensor)| (format!("model.{name}"), tensor));
    let moments = state.optimizer.state().map(|(name, t)| (format!("optimizer.{name}"), t.shallow_clone()));
    model
        .chain(averages(&state.average))
        .chain(moments)
        .chain([("loss_sum".to_owned(), state.loss_sum.shallow_clone())])
}

/// The averaged weights, by their names in the file; positions follow from the network's numbers.
fn averages(average: &Dit) -> impl Iterator<Item = (String, Tensor)> {
    let learned = average.tensors().into_iter().filter(|(name, _)| name != "pos_embed");
    learned.map(|(name, tensor)| (format!("ema.{name}"), tensor))
}

/// The network that generates, out of the checkpoint of any run.
#[derive(Debug)]
pub struct Generator {
    /// The averaged network.
    pub model: Dit,
    /// The run's parameters.
    pub params: DitParams,
    /// The classes' names, by label.
    pub classes: Vec<String>,
    /// Steps that it learned for.
    pub step: u64,
}

impl Generator {
    /// Reads it from a checkpoint.
    ///
    /// # Errors
    /// Permanent, when the file is no checkpoint of a DiT; transient, when it cannot be read.
    pub fn open(path: &Path, device: Device) -> Result<Self, Failure> {
        let Found { params, classes, mut saved } = Found::<DitParams>::open(path)?;
        let config = DitConfig {
            shape: params.shape(),
            classes: classes.len(),
            precision: precision(params.precision),
        };
        let model = Dit::new(config, device, params.seed);
        saved.restore(averages(&model))?;
        Ok(Self { model, params, classes, step: saved.step })
    }
}
