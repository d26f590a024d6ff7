//! The memory that a run computes in, as far as a run has to know of it.

use std::fmt;

use tch::Device;

/// The device's memory. Tests put a smaller one in its place.
pub trait Memory: fmt::Debug + Send + Sync {
    /// Called before anything that takes much of it. A memory that does not suffice panics with libtorch's words, as
    /// libtorch does a moment later.
    fn about_to(&self, demand: Demand) {
        let _ = demand;
    }

    /// Gives back what is free and kept for later.
    fn drop_cache(&self);

    /// Counts the peak from now on, where that can be done.
    fn reset_peak(&self);

    /// The most that was held, in MiB, where that is known.
    fn peak_mib(&self) -> Option<u64>;
}

/// What memory is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Steps finished.
    pub step: u64,
    /// What is about to be done.
    pub work: Work,
    /// With how many images at once.
    pub images: i64,
}

/// What takes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A part of a batch goes through the network.
    Forward,
    /// Its gradients come back.
    Backward,
    /// The optimiser steps.
    Optimizer,
    /// Images that are held out go through the network.
    Validation,
    /// Images are generated.
    Sampling,
}

/// The memory that libtorch manages.
#[derive(Debug, Clone, Copy)]
pub struct DeviceMemory(pub Device);

impl Memory for DeviceMemory {
    fn drop_cache(&self) {
        torch::drop_cache(self.0);
    }

    fn reset_peak(&self) {
        torch::reset_peak(self.0);
    }

    fn peak_mib(&self) -> Option<u64> {
        torch::peak_mib(self.0)
    }
}
