//! From patches, places and times to vectors of the network's width.

use std::f64::consts::LN_10;

use tch::{
    Kind, Tensor,
    nn::{Init, Path},
};
use torch::Linear;

/// Waves that a time is shown as.
const WAVES: i64 = 256;
/// Times from 0 to 1 are stretched to what the waves' lengths were made for, the thousand steps of diffusion.
const TIME_SCALE: f64 = 1000.0;
/// The logarithm of the longest wave, 10,000.
const LONGEST_LN: f64 = 4.0 * LN_10;

/// Patches to tokens. Its weight has the form of the reference's convolution.
#[derive(Debug)]
pub(super) struct PatchEmbed {
    weight: Tensor,
    bias: Tensor,
}

impl PatchEmbed {
    pub(super) fn new(path: &Path<'_>, patch_size: i64, width: i64) -> Self {
        Self {
            weight: path.var("weight", &[width, 3, patch_size, patch_size], Init::Const(0.0)),
            bias: path.var("bias", &[width], Init::Const(0.0)),
        }
    }

    /// (N, T, D) to (N, T, W).
    pub(super) fn forward(&self, patches: &Tensor) -> Tensor {
        let kind = patches.kind();
        // Patches hold the channels of each pixel side by side, the weight each channel's pixels.
        let weight = self.weight.permute([0, 2, 3, 1]).flatten(1, 3);
        patches.linear(&weight.to_kind(kind), Some(&self.bias.to_kind(kind)))
    }
}

/// Times to vectors.
#[derive(Debug)]
pub(super) struct TimeEmbed {
    first: Linear,
    second: Linear,
    frequencies: Tensor,
}

impl TimeEmbed {
    pub(super) fn new(path: &Path<'_>, width: i64) -> Self {
        let half = WAVES / 2;
        let exponents = Tensor::arange(half, (Kind::Float, path.device())) * (-LONGEST_LN / half as f64);
        Self {
            first: Linear::new(&(path / 0), WAVES, width),
            second: Linear::new(&(path / 2), width, width),
            frequencies: exponents.exp() * TIME_SCALE,
        }
    }

    /// (N) to (N, W).
    pub(super) fn forward(&self, times: &Tensor) -> Tensor {
        let angles = times.unsqueeze(1) * self.frequencies.unsqueeze(0);
        let waves = Tensor::cat(&[angles.cos(), angles.sin()], 1);
        self.second.forward(&self.first.forward(&waves).silu())
    }
}

/// Where each of `side` × `side` patches is, as waves in either direction: (1, side², width). The first half of the values
/// tells the column, the second the row.
pub(super) fn positions(side: u32, width: u32) -> Tensor {
    let quarter = width as usize / 4;
    let frequency = |index: usize| (-LONGEST_LN * index as f64 / quarter as f64).exp();
    let mut values = Vec::with_capacity((side * side * width) as usize);
    for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
        for place in [column, row].map(f64::from) {
            values.extend((0..quarter).map(|index| (place * frequency(index)).sin() as f32));
            values.extend((0..quarter).map(|index| (place * frequency(index)).cos() as f32));
        }
    }
    Tensor::from_slice(&values).view([1, i64::from(side * side), i64::from(width)])
}
