//! Small folders of images that tests learn from.

use std::path::Path;

use image::{Rgb, RgbImage};

/// The classes of [`shapes`].
pub const SHAPES: [&str; 3] = ["bar", "disc", "square"];

/// Writes `count` noisy pictures of each shape, of 20 pixels, into `folder/<shape>/`.
///
/// # Panics
/// When they cannot be written.
pub fn shapes(folder: &Path, count: u32) {
    for (label, class) in SHAPES.iter().enumerate() {
        let class_folder = folder.join(class);
        std::fs::create_dir_all(&class_folder).expect("there is room for a folder");
        for index in 0..count {
            shape(label, index)
                .save(class_folder.join(format!("{index:03}.png")))
                .expect("there is room for a picture");
        }
    }
}

/// A shape somewhere on a dark noisy ground; each index gives another picture, the same each time.
fn shape(label: usize, index: u32) -> RgbImage {
    let noise = |x: u32, y: u32, salt: u32| {
        let mixed =
            (x * 7919 + y * 104_729 + index * 1_299_709 + salt * 15_485_863).wrapping_mul(2_654_435_761);
        (mixed >> 24) as u8
    };
    let (centre_x, centre_y) = (8 + i64::from(noise(0, 0, 1) % 5), 8 + i64::from(noise(0, 0, 2) % 5));
    RgbImage::from_fn(20, 20, |x, y| {
        let (dx, dy) = (i64::from(x) - centre_x, i64::from(y) - centre_y);
        let inside = match label {
            0 => dx.abs() <= 1 && dy.abs() <= 7,
            1 => dx * dx + dy * dy <= 20,
            _ => dx.abs() <= 4 && dy.abs() <= 4 && (2 < dx.abs() || 2 < dy.abs()),
        };
        let base = if inside { 170 } else { 30 };
        Rgb([1, 2, 3].map(|salt| base + noise(x, y, salt) / 4))
    })
}
