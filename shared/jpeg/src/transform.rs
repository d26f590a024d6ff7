//! The inverse of the discrete cosine transform (T.81, A.3.3), to as many samples as are wanted.

use std::{array, f32::consts::PI};

use crate::scan::{BLOCK, PLACES};

/// Samples that a block has at most, across or down: twice as many as coefficients, for colours that are half as fine.
const MOST: usize = 16;

type Waves = [[f32; MOST]; 8];

/// From a block's coefficients to its samples. With fewer samples than waves, the finest are left out, which is the image
/// reduced; with more, the waves are followed between the samples.
pub(crate) struct Transform {
    /// How many waves are used, in each direction.
    waves: usize,
    size: (usize, usize),
    /// What each coefficient is multiplied with, in rows of eight.
    steps: [f32; BLOCK],
    across: Waves,
    down: Waves,
}

impl Transform {
    /// From the coarsest so many waves in each direction to so many samples across and down, which are as many or twice
    /// as many; coefficients are counted in these steps.
    pub(crate) fn new(waves: usize, size: (usize, usize), steps: &[f32; BLOCK]) -> Self {
        Self { waves, size, steps: *steps, across: waves_of(size.0), down: waves_of(size.1) }
    }

    /// Columns and rows of the samples of a block.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Writes the samples of a block, of which 0 is black and 255 is white, into rows that begin so far apart.
    #[inline(always)]
    pub(crate) fn invert(&self, block: &[i16; PLACES], samples: &mut [f32], stride: usize) {
        match (self.waves, self.size) {
            (1, (1, 1)) => inverted::<1, 1, 1>(self, block, samples, stride),
            (1, (1, 2)) => inverted::<1, 1, 2>(self, block, samples, stride),
            (1, (2, 1)) => inverted::<1, 2, 1>(self, block, samples, stride),
            (1, (2, 2)) => inverted::<1, 2, 2>(self, block, samples, stride),
            (2, (2, 2)) => inverted::<2, 2, 2>(self, block, samples, stride),
            (2, (2, 4)) => inverted::<2, 2, 4>(self, block, samples, stride),
            (2, (4, 2)) => inverted::<2, 4, 2>(self, block, samples, stride),
            (2, (4, 4)) => inverted::<2, 4, 4>(self, block, samples, stride),
            (4, (4, 4)) => inverted::<4, 4, 4>(self, block, samples, stride),
            (4, (4, 8)) => inverted::<4, 4, 8>(self, block, samples, stride),
            (4, (8, 4)) => inverted::<4, 8, 4>(self, block, samples, stride),
            (4, (8, 8)) => inverted::<4, 8, 8>(self, block, samples, stride),
            (8, (8, 8)) => inverted::<8, 8, 8>(self, block, samples, stride),
            (8, (8, 16)) => inverted::<8, 8, 16>(self, block, samples, stride),
            (8, (16, 8)) => inverted::<8, 16, 8>(self, block, samples, stride),
            (8, (16, 16)) => inverted::<8, 16, 16>(self, block, samples, stride),
            other => unreachable!("no component becomes {other:?}"),
        }
    }
}

/// The wave of each coefficient at each of `count` samples.
fn waves_of(count: usize) -> Waves {
    array::from_fn(|wave| {
        let height = if wave == 0 { 0.125_f32.sqrt() } else { 0.5 };
        array::from_fn(|at| height * ((2 * at + 1) as f32 * wave as f32 * PI / (2 * count) as f32).cos())
    })
}

/// `WIDTH`×`HEIGHT` samples from the coefficients of `WAVES`×`WAVES` waves: first down the columns, then along the rows.
#[inline(always)]
fn inverted<const WAVES: usize, const WIDTH: usize, const HEIGHT: usize>(
    transform: &Transform,
    block: &[i16; PLACES],
    samples: &mut [f32],
    stride: usize,
) {
    let mut coefficients = [[0.0_f32; 8]; WAVES];
    for (v, row) in coefficients.iter_mut().enumerate() {
        for (u, coefficient) in row.iter_mut().enumerate() {
            *coefficient = f32::from(block[v * 8 + u]) * transform.steps[v * 8 + u];
        }
    }
    let mut rows = [[0.0; WAVES]; HEIGHT];
    // Waves of even number are the same from both ends, the others change their sign: the middle is a mirror.
    for y in 0..HEIGHT.div_ceil(2) {
        let mut sums = [[0.0_f32; WAVES]; 2];
        for (v, row) in coefficients.iter().enumerate() {
            let wave = transform.down[v][y];
            for (sum, coefficient) in sums[v % 2].iter_mut().zip(row) {
                *sum += coefficient * wave;
            }
        }
        let [even, odd] = sums;
        rows[HEIGHT - 1 - y] = array::from_fn(|u| even[u] - odd[u]);
        rows[y] = array::from_fn(|u| even[u] + odd[u]);
    }
    for (row, samples) in rows.iter().zip(samples.chunks_mut(stride)) {
        // Samples are written as differences from the middle between black and white.
        let mut sums = [128.0_f32; WIDTH];
        for (coefficient, wave) in row.iter().zip(&transform.across) {
            for (sum, wave) in sums.iter_mut().zip(wave) {
                *sum += coefficient * wave;
            }
        }
        samples[..WIDTH].copy_from_slice(&sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula as it stands in T.81, A.3.3, at a place between -0.5 and 7.5 in each direction.
    fn by_definition(block: &[i16; PLACES], x: f64, y: f64) -> f64 {
        let wave = |at: f64, wave: usize| {
            let height = if wave == 0 { 0.5_f64.sqrt() } else { 1.0 };
            height * ((2.0 * at + 1.0) * wave as f64 * std::f64::consts::PI / 16.0).cos()
        };
        let sum: f64 = (0..BLOCK).map(|i| f64::from(block[i]) * wave(x, i % 8) * wave(y, i / 8)).sum();
        128.0 + sum / 4.0
    }

    #[test]
    fn samples_are_what_the_formula_says() {
        let mut block = [0; PLACES];
        let sizes = [1, 2, 4, 8].into_iter().flat_map(|waves| {
            [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(across, down)| (waves, (waves * across, waves * down)))
        });
        for (waves, size) in sizes {
            // Finer waves are left out, so there are none here.
            for (i, coefficient) in block[..BLOCK].iter_mut().enumerate() {
                let is_coarse = i % 8 < waves && i / 8 < waves;
                *coefficient = if is_coarse { (i * i) as i16 % 83 - 41 } else { 0 };
            }
            let transform = Transform::new(waves, size, &[1.0; BLOCK]);
            let mut samples = vec![0.0; 16 * 20];
            transform.invert(&block, &mut samples, 20);
            for (y, x) in (0..size.1).flat_map(|y| (0..size.0).map(move |x| (y, x))) {
                let place = |at: usize, count: usize| (at as f64 + 0.5) * 8.0 / count as f64 - 0.5;
                let expected = by_definition(&block, place(x, size.0), place(y, size.1));
                let sample = f64::from(samples[y * 20 + x]);
                assert!((sample - expected).abs() < 1e-3, "{size:?} at {x}, {y}: {sample}, {expected}");
            }
        }
    }
}
