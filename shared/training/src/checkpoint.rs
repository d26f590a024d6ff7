//! Checkpoints: one safetensors file with every tensor of the state, and a header with the rest.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use contract::{
    Failure,
    checkpoints::CheckpointRole,
    params::{WorkloadParams, material_differences},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tch::{Tensor, no_grad};
use torch::{TensorFile, read_tensors, write_tensors};
use worker::Snapshot;

use crate::{data::Images, failure};

/// The form of the file. A release reads its own form and refuses newer ones.
const FORMAT: u32 = 1;

/// What stands in the file beside the tensors. `H` is what the workload keeps of what is behind it.
#[derive(Debug, Serialize, Deserialize)]
struct Header<H> {
    format: u32,
    workload: String,
    params: Map<String, Value>,
    classes: Vec<String>,
    train_images: usize,
    val_images: usize,
    images_digest: String,
    step: u64,
    history: H,
    threads: u32,
    accumulation: u32,
}

/// Where a run stands, beside its tensors.
#[derive(Debug)]
pub struct Point<'a, H> {
    /// Steps finished.
    pub step: u64,
    /// What came of validations so far.
    pub history: &'a H,
    /// How many threads compute; the last bits depend on it.
    pub threads: u32,
    /// How many parts a batch is computed in.
    pub parts: u32,
    /// What to tell with the checkpoint.
    pub metrics: BTreeMap<String, f64>,
}

/// What a run is, as far as its checkpoints tell. A checkpoint of another run is refused.
#[derive(Debug)]
pub struct Identity<P> {
    params: P,
    classes: Vec<String>,
    train_images: usize,
    val_images: usize,
    digest: String,
}

impl<P: WorkloadParams + Clone> Identity<P> {
    /// The run with these parameters on these images.
    pub fn new(params: &P, images: &Images) -> Self {
        Self {
            params: params.clone(),
            classes: images.classes.clone(),
            train_images: images.train.files().len(),
            val_images: images.val.files().len(),
            digest: images.digest.clone(),
        }
    }

    /// A snapshot to be written while training goes on; its tensors must be nobody else's to change. `began` is when their
    /// copying began, during which training stood still.
    pub fn snapshot<H: Serialize>(
        &self,
        point: Point<'_, H>,
        tensors: BTreeMap<String, Tensor>,
        role: CheckpointRole,
        began: Instant,
    ) -> Snapshot {
        let header = Header {
            format: FORMAT,
            workload: P::WORKLOAD.into(),
            params: self.params.by_name(),
            classes: self.classes.clone(),
            train_images: self.train_images,
            val_images: self.val_images,
            images_digest: self.digest.clone(),
            step: point.step,
            history: point.history,
            threads: point.threads,
            accumulation: point.parts,
        };
        let header = serde_json::to_string(&header).expect("a header has text for keys and finite numbers");
        Snapshot {
            step: point.step,
            role,
            metrics: point.metrics,
            pause: began.elapsed(),
            write: Box::new(move |path| {
                write_tensors(path, &tensors, &header).context("cannot write a checkpoint")
            }),
        }
    }

    /// Reads a checkpoint of this run.
    ///
    /// # Errors
    /// Permanent, when the file is of another run, and in what it differs; transient, when it cannot be read.
    pub fn read<H: DeserializeOwned>(&self, path: &Path) -> Result<Saved<H>, Failure> {
        let (header, tensors) = open::<P, H>(path)?;
        let differences = self.differences(&header);
        if !differences.is_empty() {
            return Err(wrong(path, format!("it belongs to another run: {}", differences.join("; "))));
        }
        Ok(Saved::new(header, tensors, path))
    }

    fn differences<H>(&self, header: &Header<H>) -> Vec<String> {
        let mut differences = material_differences::<P>(&header.params, &self.params.by_name());
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

/// What a checkpoint of any run of a workload holds, for those who want its model and not to go on from it.
#[derive(Debug)]
pub struct Found<P> {
    /// The run's parameters.
    pub params: P,
    /// The classes' names, by label.
    pub classes: Vec<String>,
    /// What it stands at.
    pub saved: Saved<Value>,
}

impl<P: WorkloadParams> Found<P> {
    /// Reads a checkpoint of whichever run.
    ///
    /// # Errors
    /// Permanent, when the file is no checkpoint of this workload; transient, when it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let (header, tensors) = open::<P, Value>(path)?;
        let params = P::parse(&header.params).map_err(|error| wrong(path, error))?;
        let classes = header.classes.clone();
        Ok(Self { params, classes, saved: Saved::new(header, tensors, path) })
    }
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Saved<H> {
    /// Steps finished then.
    pub step: u64,
    /// What had come of validations.
    pub history: H,
    /// How many threads computed.
    pub threads: u32,
    /// How many parts a batch was computed in.
    pub parts: u32,
    tensors: BTreeMap<String, Tensor>,
    path: PathBuf,
}

impl<H> Saved<H> {
    fn new(header: Header<H>, tensors: BTreeMap<String, Tensor>, path: &Path) -> Self {
        Self {
            step: header.step,
            history: header.history,
            threads: header.threads,
            parts: header.accumulation,
            tensors,
            path: path.into(),
        }
    }

    /// One of its tensors.
    ///
    /// # Errors
    /// Permanent, when it is not there.
    pub fn take(&mut self, name: &str) -> Result<Tensor, Failure> {
        self.tensors.remove(name).ok_or_else(|| wrong(&self.path, format!("{name} is missing")))
    }

    /// Copies its tensors of these names into these.
    ///
    /// # Errors
    /// Permanent, when one is not there or has another shape.
    pub fn restore(&mut self, live: impl IntoIterator<Item = (String, Tensor)>) -> Result<(), Failure> {
        for (name, mut tensor) in live {
            let saved = self.take(&name)?;
            if saved.size() != tensor.size() {
                let problem = format!("{name} is {:?}, not {:?}", saved.size(), tensor.size());
                return Err(wrong(&self.path, problem));
            }
            no_grad(|| tensor.copy_(&saved));
        }
        Ok(())
    }
}

fn open<P: WorkloadParams, H: DeserializeOwned>(
    path: &Path,
) -> Result<(Header<H>, BTreeMap<String, Tensor>), Failure> {
    let TensorFile { tensors, text } = read_tensors(path).map_err(failure::of_tensor_file)?;
    let header: Header<H> = serde_json::from_str(text.as_deref().unwrap_or_default())
        .map_err(|error| wrong(path, format!("it has no header of workload {} ({error})", P::WORKLOAD)))?;
    if header.workload != P::WORKLOAD {
        return Err(wrong(path, format!("it is of workload {}, not {}", header.workload, P::WORKLOAD)));
    }
    if FORMAT < header.format {
        let problem =
            format!("it has form {}, of a newer release; this one reads up to {FORMAT}", header.format);
        return Err(wrong(path, problem));
    }
    Ok((header, tensors))
}

fn wrong(path: &Path, problem: impl Display) -> Failure {
    Failure::permanent(format!("the checkpoint {}: {problem}", path.display()))
}
