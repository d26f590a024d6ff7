//! JPEGs at a fraction of their size: of each block of 8×8 pixels, only as many are computed as are needed, which leaves
//! little to do but reading the file's bits.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    panic::{self, AssertUnwindSafe},
};

use image::{DynamicImage, RgbImage, metadata::Orientation};
use mozjpeg::{Decompress, Marker};

use super::MAX_SIDE;

/// Larger images are left to the decoder that knows limits.
const MAX_PIXELS: usize = 1 << 27;

/// Where EXIF is, and what it begins with.
const EXIF: (Marker, &[u8]) = (Marker::APP(1), b"Exif\0\0");

/// An image that may have been made smaller as it was decoded.
pub(super) struct Reduced {
    /// Upright.
    pub(super) image: RgbImage,
    /// Its width and height in the file, upright too.
    pub(super) full: (u32, u32),
}

/// The image as small as it comes with no side below `least_side`, or at its own size. Nothing for what is damaged, or not
/// made of three colours or of grey: another decoder may know what to do with it, or else say what is wrong.
///
/// # Errors
/// When the file is cut off.
pub(super) fn reduced(bytes: &[u8], least_side: u32) -> Result<Option<Reduced>, String> {
    let ran_out = Cell::new(false);
    let source = Source { bytes, ran_out: &ran_out };
    // The library reports errors by unwinding.
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| decoded(source, least_side)));
    if ran_out.get() { Err("the file is cut off".into()) } else { Ok(decoded.unwrap_or_default()) }
}

fn decoded(source: Source<'_>, least_side: u32) -> Option<Reduced> {
    let mut jpeg = Decompress::with_markers(&[EXIF.0]).from_reader(source).ok()?;
    let (width, height) = jpeg.size();
    if (MAX_SIDE as usize) < width.max(height) || MAX_PIXELS < width * height || jpeg.components().len() == 4
    {
        return None;
    }
    let orientation = jpeg
        .markers()
        .find_map(|marker| Orientation::from_exif_chunk(marker.data.strip_prefix(EXIF.1)?))
        .unwrap_or(Orientation::NoTransforms);
    jpeg.scale(eighths(width.min(height), least_side as usize));
    let mut reading = jpeg.rgb().ok()?;
    let (to_width, to_height) = (reading.width() as u32, reading.height() as u32);
    let pixels: Vec<u8> = reading.read_scanlines().ok()?;
    reading.finish().ok()?;
    let image = RgbImage::from_raw(to_width, to_height, pixels)?;
    let (width, height) = (width as u32, height as u32);
    let full = match orientation {
        Orientation::NoTransforms => return Some(Reduced { image, full: (width, height) }),
        Orientation::FlipHorizontal | Orientation::FlipVertical | Orientation::Rotate180 => (width, height),
        Orientation::Rotate90
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270
        | Orientation::Rotate270FlipH => (height, width),
    };
    let mut image = DynamicImage::from(image);
    image.apply_orientation(orientation);
    Some(Reduced { image: image.into_rgb8(), full })
}

/// How many eighths of its size an image can be decoded at, so that this side is not below `least`. Fractions between
/// these would be slower: the library has no vector code for them.
fn eighths(side: usize, least: usize) -> u8 {
    [1, 2, 4].into_iter().find(|&eighths| least * 8 <= side * usize::from(eighths)).unwrap_or(8)
}

/// The file's bytes. The library takes a file that is cut off for one that ends there, and fills up with grey.
struct Source<'a> {
    bytes: &'a [u8],
    ran_out: &'a Cell<bool>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.ran_out.set(self.ran_out.get() || self.bytes.is_empty());
        Ok(self.bytes)
    }

    fn consume(&mut self, count: usize) {
        self.bytes = &self.bytes[count..];
    }
}
