use image::{ImageBuffer, Luma, Rgb, Rgba};
use proptest::prelude::*;

use super::*;

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn every_kind_of_picture_becomes_rgb() {
    let grey = encoded(ImageBuffer::from_pixel(9, 7, Luma([100_u8])), ImageFormat::Png);
    assert_eq!(decode(&grey, Fit::Square(4)).unwrap(), Picture { width: 4, height: 4, rgb: vec![100; 48] });

    let clear = encoded(ImageBuffer::from_pixel(4, 4, Rgba([0_u8, 0, 0, 0])), ImageFormat::Png);
    assert_eq!(decode(&clear, Fit::Square(4)).unwrap().rgb, [255; 48]);

    let deep =
        encoded(ImageBuffer::from_pixel(4, 4, Rgb([257_u16 * 10, 257 * 20, 257 * 30])), ImageFormat::Png);
    assert_eq!(decode(&deep, Fit::Square(4)).unwrap().rgb, [10, 20, 30].repeat(16));

    let jpeg = encoded(ImageBuffer::from_pixel(8, 8, Rgb([200_u8, 10, 10])), ImageFormat::Jpeg);
    let rgb = decode(&jpeg, Fit::Square(8)).unwrap().rgb;
    assert!(rgb.iter().zip([200_u8, 10, 10].iter().cycle()).all(|(a, b)| a.abs_diff(*b) < 6));

    let webp = encoded(ImageBuffer::from_pixel(8, 8, Rgb([1_u8, 2, 3])), ImageFormat::WebP);
    assert_eq!(decode(&webp, Fit::Square(8)).unwrap().rgb, [1, 2, 3].repeat(64));
}

#[test]
fn the_fit_keeps_proportions() {
    let wide = encoded(ImageBuffer::from_pixel(90, 30, Rgb([1_u8, 2, 3])), ImageFormat::Png);
    let size = |fit| decode(&wide, fit).map(|picture| (picture.width, picture.height)).unwrap();
    assert_eq!(size(Fit::Square(16)), (16, 16));
    assert_eq!(size(Fit::ShortSide(16)), (32, 16));
    let tall = encoded(ImageBuffer::from_pixel(30, 40, Rgb([1_u8, 2, 3])), ImageFormat::Png);
    let picture = decode(&tall, Fit::ShortSide(15)).unwrap();
    assert_eq!((picture.width, picture.height), (15, 20));
}

#[test]
fn what_is_hardly_larger_is_kept_as_it_is() {
    let size = |width, height| {
        let image = encoded(ImageBuffer::from_pixel(width, height, Rgb([1_u8, 2, 3])), ImageFormat::Png);
        decode(&image, Fit::ShortSide(20)).map(|picture| (picture.width, picture.height)).unwrap()
    };
    assert_eq!(size(24, 30), (24, 30));
    assert_eq!(size(40, 20), (40, 20));
    assert_eq!(size(25, 30), (20, 24));
    assert_eq!(size(19, 30), (20, 32));
    assert_eq!(size(24, 41), (20, 34));
}

/// A picture with a gradient each way, so that a turn, a flip or a shift shows.
fn gradient(width: u32, height: u32) -> RgbImage {
    let shade = |place: u32, length: u32| (40 + place * 160 / length) as u8;
    ImageBuffer::from_fn(width, height, |x, y| Rgb([shade(x, width), shade(y, height), 90]))
}

/// The JPEG with a marker that says how the camera was held: EXIF with its orientation alone.
fn held(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let exif =
        [b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0, 0, 0, 0, 0][..]]
            .concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn a_large_jpeg_that_is_decoded_at_a_fraction_looks_as_if_it_were_decoded_whole() {
    for (width, height) in [(500, 375), (375, 500), (1001, 333), (64, 4000)] {
        let jpeg = encoded(gradient(width, height), ImageFormat::Jpeg);
        let whole = DynamicImage::from(gradient(width, height)).into_rgb8();
        for fit in [Fit::ShortSide(40), Fit::Square(33), Fit::ShortSide(160)] {
            let whole = fitted(whole.clone(), (width, height), fit);
            let fraction = decode(&jpeg, fit).unwrap();
            let size = (fraction.width, fraction.height);
            // It is resized, or comes so from the decoder and is hardly larger.
            let comes_so = [2, 4, 8].map(|by: u32| (width.div_ceil(by), height.div_ceil(by))).contains(&size);
            let larger = f64::from(size.0.min(size.1)) / f64::from(whole.width.min(whole.height));
            assert!(
                size == (whole.width, whole.height) || comes_so && larger <= 1.2,
                "{width}×{height}, {fit:?}: {size:?}"
            );
            let fraction = RgbImage::from_raw(fraction.width, fraction.height, fraction.rgb).unwrap();
            let fraction = resized(fraction, whole.width, whole.height);
            let most = fraction.rgb.iter().zip(&whole.rgb).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(most.unwrap() <= 6, "{width}×{height}, {fit:?}: {most:?}");
        }
    }
}

#[test]
fn an_image_is_upright_however_the_camera_was_held() {
    let jpeg = encoded(gradient(96, 64), ImageFormat::Jpeg);
    for orientation in 1..=8 {
        let mut upright = DynamicImage::from(gradient(96, 64));
        upright.apply_orientation(image::metadata::Orientation::from_exif(orientation).unwrap());
        let upright = upright.into_rgb8();
        let size = upright.dimensions();
        let expected = fitted(upright, size, Fit::ShortSide(32));
        let picture = decode(&held(&jpeg, orientation), Fit::ShortSide(32)).unwrap();
        assert_eq!((picture.width, picture.height), (expected.width, expected.height), "{orientation}");
        let most = picture.rgb.iter().zip(&expected.rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most.unwrap() <= 6, "held as {orientation}: {most:?}");
    }
}

#[test]
fn a_jpeg_that_is_cut_off_is_unreadable() {
    let jpeg = encoded(gradient(500, 375), ImageFormat::Jpeg);
    for length in [jpeg.len() / 4, jpeg.len() / 2, jpeg.len() - 2] {
        assert_eq!(decode(&jpeg[..length], Fit::ShortSide(64)).unwrap_err(), "the file is cut off");
    }
}

#[test]
fn what_is_no_picture_is_told_apart() {
    let png = encoded(ImageBuffer::from_pixel(64, 64, Rgb([1_u8, 2, 3])), ImageFormat::Png);
    let reason = |bytes: &[u8]| decode(bytes, Fit::Square(8)).unwrap_err();
    assert_eq!(reason(b""), "the file is empty");
    assert_eq!(reason(b"GIF89a\x01\x00\x01\x00"), "it is Gif; JPEG, PNG and WebP are read");
    assert_eq!(reason(b"just some text"), "it is not an image; JPEG, PNG and WebP are read");
    assert!(!reason(&png[..png.len() / 2]).is_empty());
}

proptest! {
    /// No bytes make the decoder do anything but decode or refuse.
    #[test]
    fn damaged_pictures_are_read_or_refused(at in 0..300_usize, byte: u8, cut in 0..400_usize) {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let mut bytes = encoded(ImageBuffer::from_fn(12, 9, |x, y| Rgb([x as u8 * 20, y as u8 * 20, 7])), format);
            let place = at % bytes.len();
            bytes[place] = byte;
            bytes.truncate(bytes.len().min(cut.max(1)));
            if let Ok(picture) = decode(&bytes, Fit::Square(8)) {
                prop_assert_eq!(picture.rgb.len(), 192);
            }
        }
    }
}
