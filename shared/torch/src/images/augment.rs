//! Changing training images at random, so that the network sees more of them than there are.

use rand::{Rng, RngExt};

use super::decode::{Fit, Picture};

/// Stands where something was cut out: the mean colour of ImageNet, which is zero to the network.
const NEUTRAL: [u8; 3] = [124, 116, 104];

/// How much images are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Augment {
    /// Not at all.
    None,
    /// Every second one mirrored.
    Flip,
    /// Shifted by up to an eighth.
    Light,
    /// A part of half the area or more, and a flip.
    Medium,
    /// A part of a third or more, a flip, colour, and something cut out (DeVries & Taylor, arXiv 1708.04552).
    Strong,
}

/// The part of a picture that is shown, in its pixels. It may reach outside, where the edge goes on.
struct Window {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    flipped: bool,
}

impl Augment {
    /// What is to be kept of an image that will be changed like this and shown at `size`.
    pub fn fit(self, size: u32) -> Fit {
        match self {
            Self::None | Self::Flip | Self::Light => Fit::Square(size),
            // A part of the picture is shown as large as the whole would be: keep some more pixels.
            Self::Medium | Self::Strong => Fit::ShortSide(size + size.div_ceil(4)),
        }
    }

    /// Writes the changed picture to `out`, a square of `size` pixels.
    pub(crate) fn apply(self, picture: &Picture, size: u32, random: &mut impl Rng, out: &mut [u8]) {
        let (width, height) = (picture.width as f32, picture.height as f32);
        match self {
            Self::None => {
                let whole = Window { left: 0.0, top: 0.0, width, height, flipped: false };
                show(picture, &whole, size, out);
            }
            Self::Flip => {
                let whole = Window { left: 0.0, top: 0.0, width, height, flipped: random.random() };
                show(picture, &whole, size, out);
            }
            Self::Light => {
                let reach = (size / 8).cast_signed();
                let (left, top) = (random.random_range(-reach..=reach), random.random_range(-reach..=reach));
                let shifted = Window { left: left as f32, top: top as f32, width, height, flipped: false };
                show(picture, &shifted, size, out);
            }
            Self::Medium => show(picture, &part(picture, 0.5, random), size, out),
            Self::Strong => {
                show(picture, &part(picture, 0.35, random), size, out);
                recolour(out, random);
                cut_out(out, size, random);
            }
        }
    }
}

/// A random part of at least this share of the area, its sides in a proportion of 3:4 to 4:3, flipped or not.
fn part(picture: &Picture, least_share: f32, random: &mut impl Rng) -> Window {
    let (width, height) = (picture.width as f32, picture.height as f32);
    let area = width * height * random.random_range(least_share..=1.0);
    let proportion = random.random_range((0.75_f32).ln()..=(4.0_f32 / 3.0).ln()).exp();
    let part_width = (area * proportion).sqrt().min(width);
    let part_height = (area / proportion).sqrt().min(height);
    Window {
        left: random.random::<f32>() * (width - part_width),
        top: random.random::<f32>() * (height - part_height),
        width: part_width,
        height: part_height,
        flipped: random.random(),
    }
}

/// Which two pixels of a row or column an output pixel lies between, and how far from the first.
fn between(output: u32, size: u32, start: f32, length: f32, limit: u32) -> (usize, usize, f32) {
    let last = (limit - 1) as f32;
    let place = (start + (output as f32 + 0.5) * length / size as f32 - 0.5).clamp(0.0, last);
    let first = place.floor();
    (first as usize, (first + 1.0).min(last) as usize, place - first)
}

fn show(picture: &Picture, window: &Window, size: u32, out: &mut [u8]) {
    let columns: Vec<_> = (0..size)
        .map(|x| if window.flipped { size - 1 - x } else { x })
        .map(|x| between(x, size, window.left, window.width, picture.width))
        .collect();
    let stride = picture.width as usize * 3;
    for (y, row) in (0..size).zip(out.chunks_exact_mut(size as usize * 3)) {
        let (upper, lower, down) = between(y, size, window.top, window.height, picture.height);
        let upper = &picture.rgb[upper * stride..][..stride];
        let lower = &picture.rgb[lower * stride..][..stride];
        for (&(left, right, across), pixel) in columns.iter().zip(row.chunks_exact_mut(3)) {
            for (channel, value) in pixel.iter_mut().enumerate() {
                let mix = |row: &[u8]| {
                    let (a, b) = (f32::from(row[left * 3 + channel]), f32::from(row[right * 3 + channel]));
                    a + (b - a) * across
                };
                let (above, below) = (mix(upper), mix(lower));
                *value = (above + (below - above) * down + 0.5) as u8;
            }
        }
    }
}

/// Brightness, contrast and saturation, each up to 30 % up or down.
fn recolour(pixels: &mut [u8], random: &mut impl Rng) {
    let [brightness, contrast, saturation] = [(); 3].map(|()| random.random_range(0.7_f32..=1.3));
    let luma = |[red, green, blue]: [f32; 3]| 0.299 * red + 0.587 * green + 0.114 * blue;
    let colour = |pixel: &[u8]| [pixel[0], pixel[1], pixel[2]].map(|value| f32::from(value) * brightness);
    let mean =
        pixels.chunks_exact(3).map(|pixel| luma(colour(pixel))).sum::<f32>() / (pixels.len() / 3) as f32;
    for pixel in pixels.chunks_exact_mut(3) {
        let contrasted = colour(pixel).map(|value| (value - mean) * contrast + mean);
        let grey = luma(contrasted);
        for (value, new) in pixel.iter_mut().zip(contrasted) {
            *value = (grey + (new - grey) * saturation + 0.5) as u8;
        }
    }
}

/// In every second picture, covers a square of a quarter to half its side, which may reach over the edge.
fn cut_out(pixels: &mut [u8], size: u32, random: &mut impl Rng) {
    let covered: bool = random.random();
    let half = (random.random_range(0.125_f32..=0.25) * size as f32) as u32;
    let (x, y) = (random.random_range(0..size), random.random_range(0..size));
    if !covered {
        return;
    }
    let range = |middle: u32| middle.saturating_sub(half) as usize..(middle + half).min(size) as usize;
    for row in range(y) {
        for column in range(x) {
            let start = (row * size as usize + column) * 3;
            pixels[start..start + 3].copy_from_slice(&NEUTRAL);
        }
    }
}

#[cfg(test)]
mod tests;
