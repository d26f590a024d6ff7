//! JPEGs at a fraction of their size: of each block of 8×8 pixels, only as many are computed as are needed.

use image::{DynamicImage, RgbImage, metadata::Orientation};
use jpeg::{Jpeg, JpegError, Reduction};

use super::MAX_SIDE;

/// Larger images are left to the decoder that knows limits.
const MAX_PIXELS: u64 = 1 << 27;

/// An image that may have been made smaller as it was decoded.
pub(super) struct Reduced {
    /// Upright.
    pub(super) image: RgbImage,
    /// Its width and height in the file, upright too.
    pub(super) full: (u32, u32),
}

/// The image as small as it comes with no side below `least_side`, or at its own size. Nothing for what is damaged, or a
/// rarer kind of JPEG: another decoder may know what to do with it, or else say what is wrong.
///
/// # Errors
/// When the file is cut off.
pub(super) fn reduced(bytes: &[u8], least_side: u32) -> Result<Option<Reduced>, String> {
    match decoded(bytes, least_side) {
        Err(error @ JpegError::CutOff) => Err(error.to_string()),
        Err(JpegError::Damaged(_) | JpegError::Unsupported(_)) => Ok(None),
        Ok(reduced) => Ok(reduced),
    }
}

fn decoded(bytes: &[u8], least_side: u32) -> Result<Option<Reduced>, JpegError> {
    let jpeg = Jpeg::open(bytes)?;
    let (width, height) = jpeg.size();
    if MAX_SIDE < width.max(height) || MAX_PIXELS < u64::from(width) * u64::from(height) {
        return Ok(None);
    }
    let orientation = jpeg.exif().and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let reduced = jpeg.decode(reduction(width.min(height), least_side))?;
    let image = RgbImage::from_raw(reduced.width, reduced.height, reduced.pixels)
        .expect("there are three bytes for each pixel");
    let full = match orientation {
        Orientation::NoTransforms => return Ok(Some(Reduced { image, full: (width, height) })),
        Orientation::FlipHorizontal | Orientation::FlipVertical | Orientation::Rotate180 => (width, height),
        Orientation::Rotate90
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270
        | Orientation::Rotate270FlipH => (height, width),
    };
    let mut image = DynamicImage::from(image);
    image.apply_orientation(orientation);
    Ok(Some(Reduced { image: image.into_rgb8(), full }))
}

/// How small an image can be decoded, so that this side is not below `least`.
fn reduction(side: u32, least: u32) -> Reduction {
    [(Reduction::Eighth, 8), (Reduction::Quarter, 4), (Reduction::Half, 2)]
        .into_iter()
        .find(|(_, by)| least.saturating_mul(*by) <= side)
        .map_or(Reduction::Whole, |(reduction, _)| reduction)
}
