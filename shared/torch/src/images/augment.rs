//! Changing training images at random, so that the network sees more of them than there are.

use std::array;

use rand::{Rng, RngExt};

use super::decode::{Fit, Picture};

/// Stands where something was cut out: the mean colour of ImageNet, which is zero to the network.
const NEUTRAL: [u8; 3] = [124, 116, 104];

/// How far a picture is turned at most, in radians: ten degrees.
const MOST_TURN: f32 = std::f32::consts::PI / 18.0;

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
    /// A part of a third or more, turned by up to ten degrees, a flip, colour, and something cut out (DeVries & Taylor,
    /// arXiv 1708.04552).
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
                let part = part(picture, 0.35, random);
                show_turned(picture, &part, random.random_range(-MOST_TURN..=MOST_TURN), size, out);
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

/// An output pixel between two pixels of a row or column.
struct Between {
    first: usize,
    second: usize,
    /// How far from the first towards the second, of [`WHOLE`].
    share: u32,
}

/// Places are kept to this fraction of a pixel: finer ones would not change a byte.
const WHOLE: u32 = 256;

impl Between {
    fn new(output: u32, size: u32, start: f32, length: f32, limit: u32) -> Self {
        let last = (limit - 1) as f32;
        let place = (start + (output as f32 + 0.5) * length / size as f32 - 0.5).clamp(0.0, last);
        let first = place.floor();
        let share = ((place - first) * WHOLE as f32).round() as u32;
        Self { first: first as usize, second: (first + 1.0).min(last) as usize, share }
    }
}

/// Fills the square with what the window shows, each pixel mixed from the four around its place: first two rows into
/// one, in steps that are the same for each byte and so are done many at a time, then its pixels.
fn show(picture: &Picture, window: &Window, size: u32, out: &mut [u8]) {
    let columns: Vec<Between> = (0..size)
        .map(|x| if window.flipped { size - 1 - x } else { x })
        .map(|x| Between::new(x, size, window.left, window.width, picture.width))
        .collect();
    let stride = picture.width as usize * 3;
    // What lies beside the window is not shown.
    let left = columns.iter().map(|column| column.first).min().unwrap_or_default();
    let right = columns.iter().map(|column| column.second).max().unwrap_or_default();
    let row_of = |index: usize| &picture.rgb[index * stride..][left * 3..(right + 1) * 3];
    let mut mixed = vec![[0_u16; 3]; right + 1 - left];
    for (y, out) in (0..size).zip(out.chunks_exact_mut(size as usize * 3)) {
        let row = Between::new(y, size, window.top, window.height, picture.height);
        let (above, below) = ((WHOLE - row.share) as u16, row.share as u16);
        let rows = row_of(row.first).iter().zip(row_of(row.second));
        for (mixed, (&upper, &lower)) in mixed.as_flattened_mut().iter_mut().zip(rows) {
            *mixed = u16::from(upper) * above + u16::from(lower) * below;
        }
        for (column, pixel) in columns.iter().zip(out.as_chunks_mut::<3>().0) {
            let (first, second) = (mixed[column.first - left], mixed[column.second - left]);
            *pixel = array::from_fn(|channel| {
                let (first, second) = (u32::from(first[channel]), u32::from(second[channel]));
                let mix = first * (WHOLE - column.share) + second * column.share;
                ((mix + WHOLE * WHOLE / 2) / (WHOLE * WHOLE)) as u8
            });
        }
    }
}

/// The same, with the window turned about its middle by this angle.
fn show_turned(picture: &Picture, window: &Window, angle: f32, size: u32, out: &mut [u8]) {
    let (last_column, last_row) = ((picture.width - 1) as f32, (picture.height - 1) as f32);
    let (middle_x, middle_y) =
        (window.left + window.width / 2.0 - 0.5, window.top + window.height / 2.0 - 0.5);
    let (sin, cos) = angle.sin_cos();
    let mirrored = if window.flipped { -1.0 } else { 1.0 };
    // From the middle of the output to a pixel of it, as a share of the whole.
    let from_middle = |place: u32| (place as f32 + 0.5) / size as f32 - 0.5;
    let stride = picture.width as usize * 3;
    for (y, row) in (0..size).zip(out.chunks_exact_mut(size as usize * 3)) {
        let down = from_middle(y) * window.height;
        for (x, pixel) in (0..size).zip(row.chunks_exact_mut(3)) {
            let across = from_middle(x) * window.width * mirrored;
            let column = (middle_x + across * cos - down * sin).clamp(0.0, last_column);
            let row = (middle_y + across * sin + down * cos).clamp(0.0, last_row);
            let (left, upper) = (column as usize, row as usize);
            let right = (left + 1).min(picture.width as usize - 1);
            let lower = (upper + 1).min(picture.height as usize - 1);
            let (share, share_down) = (column.fract(), row.fract());
            let at = |row: usize, column: usize| &picture.rgb[row * stride + column * 3..][..3];
            let corners = [at(upper, left), at(upper, right), at(lower, left), at(lower, right)];
            for (channel, value) in pixel.iter_mut().enumerate() {
                let [a, b, c, d] = corners.map(|corner| f32::from(corner[channel]));
                let (above, below) = (a + (b - a) * share, c + (d - c) * share);
                *value = (above + (below - above) * share_down + 0.5) as u8;
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
