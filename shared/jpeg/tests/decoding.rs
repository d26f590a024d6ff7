//! What other programs write is read as other programs read it.

use image::{ImageFormat, RgbImage};
use jpeg::{Jpeg, JpegError, Reduction, Rgb};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

/// A picture with slopes, waves and edges.
fn picture(width: u16, height: u16) -> Vec<u8> {
    let shade = |x: u16, y: u16| {
        let (x, y) = (f32::from(x), f32::from(y));
        let red = 128.0 + 90.0 * (x / 9.0).sin();
        let green = 128.0 + 90.0 * (y / 7.0 + x / 31.0).cos();
        let blue = if (x + y) % 64.0 < 32.0 { 60.0 } else { 180.0 };
        [red as u8, green as u8, blue as u8]
    };
    (0..height).flat_map(|y| (0..width).flat_map(move |x| shade(x, y))).collect()
}

/// A picture without edges, which looks the same however finely its colours are sampled.
fn slope(width: u16, height: u16) -> Vec<u8> {
    let share = |place: u16, length: u16| (40 + u32::from(place) * 160 / u32::from(length)) as u8;
    (0..height).flat_map(|y| (0..width).flat_map(move |x| [share(x, width), share(y, height), 90])).collect()
}

fn encoded(
    pixels: &[u8],
    (width, height): (u16, u16),
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    set(&mut encoder);
    let kind = if pixels.len() == usize::from(width) * usize::from(height) {
        ColorType::Luma
    } else {
        ColorType::Rgb
    };
    encoder.encode(pixels, width, height, kind).unwrap();
    bytes
}

fn decoded(bytes: &[u8], reduction: Reduction) -> Rgb {
    Jpeg::open(bytes).unwrap().decode(reduction).unwrap()
}

fn elsewhere(bytes: &[u8]) -> RgbImage {
    image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap().into_rgb8()
}

/// How far pixels are from each other: at most, and on average.
fn apart(ours: &[u8], others: &[u8]) -> (u8, f64) {
    assert_eq!(ours.len(), others.len());
    let distances = || ours.iter().zip(others).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = distances().map(u64::from).sum();
    (distances().max().unwrap(), sum as f64 / ours.len() as f64)
}

#[test]
fn an_image_is_what_another_decoder_makes_of_it() {
    for size in [(1, 1), (8, 8), (17, 9), (161, 83)] {
        let pixels = picture(size.0, size.1);
        let grey: Vec<u8> = pixels.chunks_exact(3).map(|pixel| pixel[0]).collect();
        for (what, bytes) in [
            ("plain", encoded(&pixels, size, |_| {})),
            ("grey", encoded(&grey, size, |_| {})),
            ("with tables of its own", encoded(&grey, size, |e| e.set_optimized_huffman_tables(true))),
            ("with restarts", encoded(&pixels, size, |e| e.set_restart_interval(3))),
        ] {
            let (ours, others) = (decoded(&bytes, Reduction::Whole), elsewhere(&bytes));
            assert_eq!((ours.width, ours.height), others.dimensions(), "{what}, {size:?}");
            let (most, mean) = apart(&ours.pixels, others.as_raw());
            assert!(most <= 4 && mean < 0.6, "{what}, {size:?}: {most} at most, {mean} on average");
        }
    }
}

#[test]
fn colours_may_be_coarser_than_light() {
    for sampling in [SamplingFactor::R_4_2_0, SamplingFactor::R_4_2_2, SamplingFactor::R_4_4_0] {
        for size in [(160, 96), (149, 83), (49, 50)] {
            let pixels = slope(size.0, size.1);
            let bytes = encoded(&pixels, size, |e| {
                e.set_sampling_factor(sampling);
                e.set_restart_interval(5);
            });
            let (most, mean) = apart(&decoded(&bytes, Reduction::Whole).pixels, &pixels);
            let (most_elsewhere, _) = apart(elsewhere(&bytes).as_raw(), &pixels);
            assert!(
                most <= most_elsewhere.max(8) && mean < 1.5,
                "{sampling:?}, {size:?}: {most} at most ({most_elsewhere} elsewhere), {mean} on average"
            );
        }
    }
}

#[test]
fn a_reduced_image_has_the_means_of_the_pixels_that_it_stands_for() {
    let (width, height) = (160_u16, 96_u16);
    for (sampling, pixels) in [
        (SamplingFactor::R_4_4_4, picture(width, height)),
        (SamplingFactor::R_4_2_0, slope(width, height)),
        (SamplingFactor::R_4_2_2, slope(width, height)),
        (SamplingFactor::R_4_4_0, slope(width, height)),
    ] {
        let bytes = encoded(&pixels, (width, height), |e| e.set_sampling_factor(sampling));
        let whole = decoded(&bytes, Reduction::Whole);
        for (reduction, by) in [(Reduction::Half, 2), (Reduction::Quarter, 4), (Reduction::Eighth, 8)] {
            let reduced = decoded(&bytes, reduction);
            assert_eq!((reduced.width * by, reduced.height * by), (width.into(), height.into()));
            let mut means = Vec::new();
            for (y, x, channel) in (0..reduced.height).flat_map(|y| {
                (0..reduced.width).flat_map(move |x| (0..3).map(move |channel| (y, x, channel)))
            }) {
                let pixel = |dx, dy| {
                    whole.pixels[(((y * by + dy) * whole.width + x * by + dx) * 3 + channel) as usize]
                };
                let sum: u32 = (0..by * by).map(|i| u32::from(pixel(i % by, i / by))).sum();
                means.push((sum / (by * by)) as u8);
            }
            let (_, mean) = apart(&reduced.pixels, &means);
            assert!(mean < 4.0, "{sampling:?}, {reduction:?}: {mean} on average");
        }
    }
}

#[test]
fn a_reduced_size_is_rounded_up() {
    let bytes = encoded(&slope(33, 17), (33, 17), |_| {});
    let size = |reduction| {
        let reduced = decoded(&bytes, reduction);
        assert_eq!(reduced.pixels.len() as u32, reduced.width * reduced.height * 3);
        (reduced.width, reduced.height)
    };
    assert_eq!(size(Reduction::Half), (17, 9));
    assert_eq!(size(Reduction::Quarter), (9, 5));
    assert_eq!(size(Reduction::Eighth), (5, 3));
}

#[test]
fn exif_is_handed_on() {
    let bytes = encoded(&slope(8, 8), (8, 8), |e| e.add_app_segment(1, b"Exif\0\0II*\0".to_vec()).unwrap());
    assert_eq!(Jpeg::open(&bytes).unwrap().exif(), Some(&b"II*\0"[..]));
    assert_eq!(Jpeg::open(&encoded(&slope(8, 8), (8, 8), |_| {})).unwrap().exif(), None);
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    for progressive in [false, true] {
        let bytes = encoded(&picture(64, 48), (64, 48), |e| e.set_progressive(progressive));
        for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            let read = Jpeg::open(&bytes[..length]).and_then(|jpeg| jpeg.decode(Reduction::Half));
            assert_eq!(read.unwrap_err(), JpegError::CutOff, "{length} bytes");
        }
    }
}

/// As phones append their videos.
#[test]
fn what_stands_after_the_end_is_passed_over() {
    let after = b"\xff\xda\x00\x0cmore\xff".repeat(9);
    let bytes = encoded(&picture(64, 48), (64, 48), |_| {});
    let longer = [bytes.as_slice(), &after].concat();
    assert_eq!(decoded(&longer, Reduction::Half), decoded(&bytes, Reduction::Half));

    let progressive = encoded(&picture(64, 48), (64, 48), |e| e.set_progressive(true));
    let error = Jpeg::open(&[progressive.as_slice(), &after].concat()).unwrap_err();
    assert_eq!(error, JpegError::Unsupported("a progressive JPEG"));
}

#[test]
fn what_other_decoders_read_is_left_to_them() {
    let progressive = encoded(&slope(16, 16), (16, 16), |e| e.set_progressive(true));
    assert_eq!(Jpeg::open(&progressive).unwrap_err(), JpegError::Unsupported("a progressive JPEG"));

    let scans = encoded(&slope(16, 16), (16, 16), |e| e.set_optimized_huffman_tables(true));
    assert_eq!(Jpeg::open(&scans).unwrap_err(), JpegError::Unsupported("a JPEG of several scans"));

    let mut cmyk = Vec::new();
    Encoder::new(&mut cmyk, 90).encode(&[7; 16 * 16 * 4], 16, 16, ColorType::Cmyk).unwrap();
    let error = Jpeg::open(&cmyk).unwrap_err();
    assert_eq!(error, JpegError::Unsupported("a JPEG of neither one nor three components"));
}

#[test]
fn a_scan_with_too_little_in_it_is_damaged() {
    let mut bytes = encoded(&picture(64, 48), (64, 48), |_| {});
    let end = bytes.len() - 2;
    bytes.drain(end - 200..end);
    assert!(matches!(Jpeg::open(&bytes).unwrap().decode(Reduction::Half), Err(JpegError::Damaged(_))));
}

proptest! {
    /// Whatever the bytes, an image of the right size comes of them, or an error.
    #[test]
    fn damaged_files_are_read_or_refused(
        damage in prop::collection::vec((0..4000_usize, any::<u8>()), 1..6),
        restarts in 0..4_u16,
    ) {
        let mut bytes = encoded(&picture(40, 24), (40, 24), |e| {
            e.set_sampling_factor(SamplingFactor::R_4_2_0);
            e.set_restart_interval(restarts);
        });
        for (place, byte) in damage {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        if let Ok(jpeg) = Jpeg::open(&bytes) {
            let (width, height) = jpeg.size();
            if width * height < 1 << 22 && let Ok(image) = jpeg.decode(Reduction::Quarter) {
                prop_assert_eq!((image.width, image.height), (width.div_ceil(4), height.div_ceil(4)));
                prop_assert_eq!(image.pixels.len() as u32, image.width * image.height * 3);
            }
        }
    }
}
