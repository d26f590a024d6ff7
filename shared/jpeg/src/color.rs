//! Colours of pixels.

use crate::header::ColorSpace;

/// Pixels that are computed side by side.
pub(crate) const RUN: usize = 32;

/// Writes a row of pixels, whose components these are, as red, green and blue. Components come in whole runs.
#[inline(always)]
pub(crate) fn write(space: ColorSpace, components: [&[f32]; 3], row: &mut [u8]) {
    let [a, b, c] = components.map(|samples| samples.as_chunks::<RUN>().0);
    let mut colors = [[0; RUN]; 3];
    for (((a, b), c), pixels) in a.iter().zip(b).zip(c).zip(row.chunks_mut(3 * RUN)) {
        match space {
            ColorSpace::YCbCr => from_ycbcr(a, b, c, &mut colors),
            ColorSpace::Grey | ColorSpace::Rgb => {
                for (bytes, samples) in colors.iter_mut().zip([a, b, c]) {
                    for (byte, &sample) in bytes.iter_mut().zip(samples) {
                        *byte = rounded(sample);
                    }
                }
            }
        }
        let [red, green, blue] = &colors;
        for (((pixel, &red), &green), &blue) in pixels.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
            pixel.copy_from_slice(&[red, green, blue]);
        }
    }
}

/// JFIF (ITU-T T.871), section 7.
#[inline(always)]
fn from_ycbcr(y: &[f32; RUN], cb: &[f32; RUN], cr: &[f32; RUN], [red, green, blue]: &mut [[u8; RUN]; 3]) {
    for i in 0..RUN {
        let (y, cb, cr) = (y[i], cb[i] - 128.0, cr[i] - 128.0);
        red[i] = rounded(y + 1.402 * cr);
        green[i] = rounded(y - (0.114 * 1.772 / 0.587) * cb - (0.299 * 1.402 / 0.587) * cr);
        blue[i] = rounded(y + 1.772 * cb);
    }
}

/// To the nearest of 0 to 255.
#[inline(always)]
fn rounded(sample: f32) -> u8 {
    /// Numbers of this size have no bits for fractions: the lowest eight are those of the sample.
    const LARGE: f32 = (1_u32 << 23) as f32;
    // Written so that each is an instruction; clamp() has to think of what is no number.
    let sample = if 0.0 < sample { sample } else { 0.0 };
    let sample = if sample < 255.0 { sample } else { 255.0 };
    (sample + LARGE).to_bits() as u8
}
