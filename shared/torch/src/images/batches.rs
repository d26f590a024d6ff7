//! Batches: pure functions of the seed and the step.

use std::array;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::{
    augment::Augment,
    set::{ImageSet, Unreadable},
};
use crate::{
    native::floats_mut,
    random::{Purpose, keyed, order},
};

/// What is subtracted from each channel, of values from 0 to 1: ImageNet's means.
pub const CHANNEL_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// What each channel is divided by then: ImageNet's standard deviations.
pub const CHANNEL_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// What values images have as floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Each channel less its mean over ImageNet, divided by its deviation there; what classifiers see.
    ImageNet,
    /// From -1, black, to 1, white; what is generated.
    Signed,
}

impl Scale {
    /// What a channel's bytes, 0 to 255, are reduced by, and what they are multiplied with then.
    fn of_bytes(self) -> ([f32; 3], [f32; 3]) {
        match self {
            Self::ImageNet => {
                (CHANNEL_MEAN.map(|mean| mean * 255.0), CHANNEL_STD.map(|std| 1.0 / (std * 255.0)))
            }
            Self::Signed => ([127.5; 3], [1.0 / 127.5; 3]),
        }
    }

    /// The values of these bytes: red, green, blue, red and so on.
    fn apply(self, bytes: &[u8], values: &mut [f32]) {
        /// Long enough to be computed many at a time, and a multiple of three.
        const RUN: usize = 48;
        let (less, times) = self.of_bytes();
        let (less, times): ([f32; RUN], [f32; RUN]) =
            (array::from_fn(|i| less[i % 3]), array::from_fn(|i| times[i % 3]));
        for (bytes, values) in bytes.chunks(RUN).zip(values.chunks_mut(RUN)) {
            for (((value, &byte), less), times) in values.iter_mut().zip(bytes).zip(&less).zip(&times) {
                *value = (f32::from(byte) - less) * times;
            }
        }
    }
}

/// An image that was readable at the start has become unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} could be read before and cannot be read now: {}", .0.name, .0.reason)]
pub struct BatchError(Unreadable);

/// Some images and their labels, in main memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    size: u32,
    /// (N, size, size, 3).
    pixels: Vec<u8>,
    labels: Vec<i64>,
}

impl Batch {
    /// The images as floats (N, 3, size, size), channels last in memory, and the labels (N).
    pub fn to_device(&self, device: Device, scale: Scale) -> (Tensor, Tensor) {
        let shape = [self.labels.len() as i64, self.size.into(), self.size.into(), 3];
        let images = if device == Device::Cpu {
            let mut images = Tensor::empty(shape, (Kind::Float, device));
            scale.apply(&self.pixels, floats_mut(&mut images));
            images
        } else {
            let per_channel = |values: [f32; 3]| Tensor::from_slice(&values).to_device(device);
            let (less, times) = scale.of_bytes();
            // A quarter of what floats would take goes over the bus.
            let bytes = Tensor::from_data_size(&self.pixels, &shape, Kind::Uint8).to_device(device);
            let mut images = bytes.to_kind(Kind::Float);
            images -= per_channel(less);
            images *= per_channel(times);
            images
        };
        (images.permute([0, 3, 1, 2]), Tensor::from_slice(&self.labels).to_device(device))
    }
}

/// The batches of training: whole ones only, each epoch in an order of its own.
#[derive(Debug)]
pub struct TrainBatches<'a> {
    set: &'a ImageSet,
    augment: Augment,
    size: u32,
    batch_size: usize,
    seed: u64,
    /// The order of the epoch that was asked for last.
    order: Option<(u64, Vec<usize>)>,
}

impl<'a> TrainBatches<'a> {
    /// Batches of `batch_size` images of `size` pixels.
    ///
    /// # Panics
    /// When the set has fewer images than a batch.
    pub fn new(set: &'a ImageSet, augment: Augment, size: u32, batch_size: usize, seed: u64) -> Self {
        assert!((1..=set.files().len()).contains(&batch_size), "a batch is at least one image, at most all");
        Self { set, augment, size, batch_size, seed, order: None }
    }

    /// Steps in an epoch. Images that do not fill a batch are left out, others in each epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.set.files().len() / self.batch_size) as u64
    }

    /// The batch of the step with this index, from 0.
    ///
    /// # Errors
    /// When an image must be read again and cannot.
    pub fn batch(&mut self, step: u64) -> Result<Batch, BatchError> {
        let (epoch, position) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        if self.order.as_ref().is_none_or(|(known, _)| *known != epoch) {
            self.order = Some((epoch, order(self.seed, epoch, self.set.files().len())));
        }
        let (_, order) = self.order.as_ref().expect("it was set above");
        let indices = &order[position as usize * self.batch_size..][..self.batch_size];
        assemble(self.set, indices, self.size, |index, picture, out| {
            let mut random = keyed(self.seed, Purpose::Augmentation, (epoch, index as u64));
            self.augment.apply(picture, self.size, &mut random, out);
        })
    }
}

/// The batches of validation: every image once, as it is.
#[derive(Debug)]
pub struct ValBatches<'a> {
    set: &'a ImageSet,
    size: u32,
    batch_size: usize,
}

impl<'a> ValBatches<'a> {
    /// Batches of at most `batch_size` images of `size` pixels, which the set keeps as squares of that size.
    pub fn new(set: &'a ImageSet, size: u32, batch_size: usize) -> Self {
        Self { set, size, batch_size }
    }

    /// All batches in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Batch, BatchError>> {
        let indices: Vec<usize> = (0..self.set.files().len()).collect();
        let batch_size = self.batch_size;
        (0..indices.len().div_ceil(batch_size)).map(move |batch| {
            let end = ((batch + 1) * batch_size).min(indices.len());
            assemble(self.set, &indices[batch * batch_size..end], self.size, |_, picture, out| {
                out.copy_from_slice(&picture.rgb);
            })
        })
    }
}

fn assemble(
    set: &ImageSet,
    indices: &[usize],
    size: u32,
    show: impl Fn(usize, &super::Picture, &mut [u8]) + Sync,
) -> Result<Batch, BatchError> {
    let image_bytes = (size * size * 3) as usize;
    let mut pixels = vec![0; indices.len() * image_bytes];
    pixels
        .par_chunks_exact_mut(image_bytes)
        .zip(indices)
        .try_for_each(|(out, &index)| set.with(index, |picture| show(index, picture, out)))
        .map_err(BatchError)?;
    let labels = indices.iter().map(|&index| set.files()[index].label as i64).collect();
    Ok(Batch { size, pixels, labels })
}

#[cfg(test)]
mod tests;
