//! Checkpoints: one safetensors file with every tensor of the state, and a header with the rest.

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::Context;
use contract::{
    Failure,
    checkpoints::CheckpointRole,
    classifier::{ClassifierParams, material_differences},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tch::{Tensor, no_grad};
use torch::{TensorFile, read_tensors, write_tensors};
use worker::Snapshot;

use crate::{
    data::Images,
    failure,
    history::{EpochFigures, best_epoch},
    state::{State, cpu_copy},
};

/// The form of the file. A release reads its own form and refuses newer ones.
const FORMAT: u32 = 1;

/// What stands in the file beside the tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    workload: String,
    params: Map<String, Value>,
    classes: Vec<String>,
    train_images: usize,
    val_images: usize,
    images_digest: String,
    step: u64,
    history: Vec<EpochFigures>,
    threads: u32,
    accumulation: u32,
}

/// What a run is, as far as its checkpoints tell. A checkpoint of another run is refused.
#[derive(Debug)]
pub(crate) struct Identity {
    params: Map<String, Value>,
    classes: Vec<String>,
    train_images: usize,
    val_images: usize,
    digest: String,
}

impl Identity {
    pub(crate) fn new(params: &ClassifierParams, images: &Images) -> Self {
        Self {
            params: params.by_name(),
            classes: images.classes.clone(),
            train_images: images.train.files().len(),
            val_images: images.val.files().len(),
            digest: images.digest.clone(),
        }
    }

    /// Copies the state, so that it can be written while training goes on.
    pub(crate) fn snapshot(&self, state: &State, parts: u32, role: CheckpointRole) -> Snapshot {
        let started = Instant::now();
        let header = Header {
            format: FORMAT,
            workload: contract::classifier::WORKLOAD.into(),
            params: self.params.clone(),
            classes: self.classes.clone(),
            train_images: self.train_images,
            val_images: self.val_images,
            images_digest: self.digest.clone(),
            step: state.step,
            history: state.history.clone(),
            threads: state.threads,
            accumulation: parts,
        };
        let header = serde_json::to_string(&header).expect("a header has text for keys and finite numbers");
        let mut tensors: BTreeMap<String, Tensor> =
            live_tensors(state).map(|(name, tensor)| (name, cpu_copy(&tensor))).collect();
        // Those of the best epoch never change, so they are shared, not copied.
        tensors
            .extend(state.best.iter().map(|(name, tensor)| (format!("best.{name}"), tensor.shallow_clone())));
        Snapshot {
            step: state.step,
            role,
            metrics: state.history.last().map(EpochFigures::by_name).unwrap_or_default(),
            pause: started.elapsed(),
            write: Box::new(move |path| {
                write_tensors(path, &tensors, &header).context("cannot write a checkpoint")
            }),
        }
    }

    /// Puts the state of the file into a fresh one. Returns how many parts a batch was computed in.
    ///
    /// # Errors
    /// Permanent, when the file is of another run, and in what it differs; transient, when it cannot be read.
    pub(crate) fn restore(&self, path: &Path, state: &mut State) -> Result<u32, Failure> {
        let TensorFile { mut tensors, text } = read_tensors(path).map_err(failure::of_tensor_file)?;
        let wrong =
            |problem: String| Failure::permanent(format!("the checkpoint {}: {problem}", path.display()));
        let header: Header = serde_json::from_str(text.as_deref().unwrap_or_default())
            .map_err(|error| wrong(format!("it has no header of the classifier's ({error})")))?;
        if FORMAT < header.format {
            return Err(wrong(format!(
                "it has form {}, of a newer release; this one reads up to {FORMAT}",
                header.format
            )));
        }
        let differences = self.differences(&header);
        if !differences.is_empty() {
            return Err(wrong(format!("it belongs to another run: {}", differences.join("; "))));
        }

        if best_epoch(&header.history).is_some() {
            let names: Vec<String> = state.model.tensors().into_keys().collect();
            for name in names {
                let best = tensors.remove(&format!("best.{name}"));
                state
                    .best
                    .insert(name.clone(), best.ok_or_else(|| wrong(format!("best.{name} is missing")))?);
            }
        }
        for (name, mut tensor) in live_tensors(state) {
            let saved = tensors.remove(&name).ok_or_else(|| wrong(format!("{name} is missing")))?;
            if saved.size() != tensor.size() {
                return Err(wrong(format!("{name} is {:?}, not {:?}", saved.size(), tensor.size())));
            }
            no_grad(|| tensor.copy_(&saved));
        }
        state.step = header.step;
        state.optimizer.set_steps(header.step);
        state.history = header.history;
        state.threads = header.threads;
        Ok(header.accumulation)
    }

    fn differences(&self, header: &Header) -> Vec<String> {
        let mut differences = material_differences(&header.params, &self.params);
        if header.classes != self.classes {
            differences.push(format!("classes were {:?} and are {:?}", header.classes, self.classes));
        } else if header.images_digest != self.digest {
            differences.push(format!(
                "the images have changed ({} for training and {} held out then, {} and {} now); put them back, or \
                 submit a new job",
                header.train_images, header.val_images, self.train_images, self.val_images
            ));
        }
        differences
    }
}

/// The tensors that change from step to step, by their names in the file.
fn live_tensors(state: &State) -> impl Iterator<Item = (String, Tensor)> {
    let model = state.model.tensors().into_iter().map(|(name, tensor)| (format!("model.{name}"), tensor));
    let moments = state.optimizer.state().map(|(name, t)| (format!("optimizer.{name}"), t.shallow_clone()));
    model.chain(moments).chain([("epoch.sums".to_owned(), state.sums.shallow_clone())])
}
