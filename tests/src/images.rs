//! Images to learn from, that need no download.

use std::path::Path;

use image::{Rgb, RgbImage};

const CLASSES: [(&str, [u8; 3]); 2] = [("blue", [40, 60, 200]), ("orange", [220, 120, 30])];
const IMAGES_A_CLASS: u8 = 24;

/// Fills a folder with two classes of squares, each of its class's colour and a little different.
pub fn draw_images(folder: &Path) {
    for (class, [red, green, blue]) in CLASSES {
        let folder = folder.join(class);
        std::fs::create_dir_all(&folder).expect("the folder can be filled");
        for number in 0..IMAGES_A_CLASS {
            let picture = RgbImage::from_fn(16, 16, |x, y| {
                let shade = (x as u8 * 3) ^ (y as u8 * 5) ^ number;
                Rgb([red ^ (shade & 15), green ^ (shade & 7), blue ^ (shade & 31)])
            });
            picture.save(folder.join(format!("{number:02}.png"))).expect("the folder can be filled");
        }
    }
}
