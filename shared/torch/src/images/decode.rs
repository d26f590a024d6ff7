//! From a file's bytes to pixels of the size that is kept.

use std::{io::Cursor, panic};

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

mod jpeg;

use jpeg::Reduced;

/// Longer sides than this are refused: such files are mistakes, or made to exhaust memory.
const MAX_SIDE: u32 = 32_768;

/// Pixels in rows, red, green, blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Three bytes a pixel.
    pub rgb: Vec<u8>,
}

/// What is kept of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The square in its middle, at this size.
    Square(u32),
    /// All of it, its short side at this size, or up to a fifth longer where it comes so; of a side longer than twice that, the
    /// middle.
    ShortSide(u32),
}

impl Fit {
    /// The short side of an image that need not be enlarged for this.
    fn least_side(self) -> u32 {
        match self {
            Self::Square(side) | Self::ShortSide(side) => side,
        }
    }
}

/// Reads a JPEG, PNG or WebP, whatever its file is called, and keeps what `fit` says. Grey becomes RGB, transparency
/// shows white, and a camera's orientation is applied.
/// A large JPEG is decoded at a half, a quarter or an eighth of its size, where that is still more than is kept.
///
/// # Errors
/// Says why these bytes are not a picture.
pub fn decode(bytes: &[u8], fit: Fit) -> Result<Picture, String> {
    // A decoder that panics on crafted bytes has met an unreadable image, nothing worse.
    let Reduced { image, full } =
        panic::catch_unwind(|| pixels(bytes, fit)).unwrap_or_else(|_| Err("its decoder failed".into()))?;
    Ok(fitted(image, full, fit))
}

fn pixels(bytes: &[u8], fit: Fit) -> Result<Reduced, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    match reader.format() {
        Some(ImageFormat::Jpeg) => {
            if let Some(reduced) = jpeg::reduced(bytes, fit.least_side())? {
                return Ok(reduced);
            }
        }
        Some(ImageFormat::Png | ImageFormat::WebP) => {}
        Some(other) => return Err(format!("it is {other:?}; JPEG, PNG and WebP are read")),
        None => return Err("it is not an image; JPEG, PNG and WebP are read".into()),
    }
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    image.apply_orientation(orientation);
    let image = if image.color().has_alpha() { over_white(image) } else { image.into_rgb8() };
    Ok(Reduced { full: image.dimensions(), image })
}

fn over_white(image: DynamicImage) -> RgbImage {
    let image = image.into_rgba8();
    let (width, height) = image.dimensions();
    let rgb = image.pixels().flat_map(|pixel| {
        let [red, green, blue, alpha] = pixel.0.map(u32::from);
        [red, green, blue].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
    });
    RgbImage::from_raw(width, height, rgb.collect()).expect("there are three bytes for each pixel")
}

/// What is kept of an image that had so many columns and rows in its file.
fn fitted(image: RgbImage, (width, height): (u32, u32), fit: Fit) -> Picture {
    let short = f64::from(width.min(height));
    let (to_width, to_height) = match fit {
        Fit::Square(side) => (side, side),
        Fit::ShortSide(side) if comes_so(image.dimensions(), side) => image.dimensions(),
        Fit::ShortSide(side) => {
            let long =
                |length: u32| (f64::from(side * length) / short).round().min(f64::from(2 * side)) as u32;
            if width < height { (side, long(height)) } else { (long(width), side) }
        }
    };
    resized(image, to_width, to_height)
}

/// Whether an image may be kept as it is where this short side is wanted: it is resized anyway when a part of it is shown.
fn comes_so((width, height): (u32, u32), side: u32) -> bool {
    let (short, long) = (width.min(height), width.max(height));
    (side..=side + side / 5).contains(&short) && long <= 2 * side
}

/// The middle of the image in the proportions of the new size, at that size.
fn resized(image: RgbImage, width: u32, height: u32) -> Picture {
    if image.dimensions() == (width, height) {
        return Picture { width, height, rgb: image.into_raw() };
    }
    let source = ImageRef::new(image.width(), image.height(), image.as_raw(), PixelType::U8x3)
        .expect("there are three bytes for each pixel");
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .fit_into_destination(Some((0.5, 0.5)));
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("both are RGB and what is cut out lies inside of the source");
    Picture { width, height, rgb: target.into_vec() }
}

#[cfg(test)]
mod tests;
