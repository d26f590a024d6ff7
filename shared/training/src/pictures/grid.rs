//! Many pictures in one: a row for each class.

use std::path::Path;

use anyhow::anyhow;
use plotters::{
    element::BitMapElement,
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

use super::style::{INK, shortened, text};

/// Small pictures are shown larger, so that one has about this side.
const SIDE: u32 = 96;
/// Between pictures, and around all of them.
const GAP: u32 = 4;
const EDGE: u32 = 20;
/// Room above for the title, and at the left for names of this many letters.
const TOP: u32 = 56;
const LONGEST_NAME: usize = 16;
const NAMES: u32 = 150;

/// A row of a grid.
#[derive(Debug)]
pub struct Row {
    /// What stands beside it.
    pub label: String,
    /// Square pictures of one size: the pixels row by row, three bytes for each.
    pub pictures: Vec<Vec<u8>>,
}

/// Draws rows of pictures of `size` pixels into a PNG at `path`.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn draw_grid(path: &Path, title: &str, rows: &[Row], size: u32) -> anyhow::Result<()> {
    let scale = (SIDE / size).max(1);
    let side = size * scale;
    let columns = rows.iter().map(|row| row.pictures.len() as u32).max().unwrap_or(0);
    let width = EDGE + NAMES + columns * (side + GAP) + EDGE;
    let height = TOP + rows.len() as u32 * (side + GAP) + EDGE;
    let root = BitMapBackend::new(path, (width, height)).into_drawing_area();
    let draw = || {
        root.fill(&WHITE)?;
        let style = |size, vertical| text(size, INK, HPos::Left, vertical);
        root.draw(&Text::new(title.to_owned(), (EDGE as i32, 18), style(22, VPos::Top)))?;
        for (index, row) in (0..).zip(rows) {
            let top = (TOP + index * (side + GAP)) as i32;
            let middle = (EDGE as i32, top + side as i32 / 2);
            root.draw(&Text::new(shortened(&row.label, LONGEST_NAME), middle, style(16, VPos::Center)))?;
            for (column, picture) in (0..).zip(&row.pictures) {
                let corner = ((EDGE + NAMES + column * (side + GAP)) as i32, top);
                let pixels = enlarged(picture, size as usize, scale as usize);
                if let Some(element) = BitMapElement::with_owned_buffer(corner, (side, side), pixels) {
                    root.draw(&element)?;
                }
            }
        }
        root.present()
    };
    draw().map_err(|error| anyhow!("{error}"))
}

/// Each pixel as a square of `scale` pixels.
fn enlarged(picture: &[u8], size: usize, scale: usize) -> Vec<u8> {
    let rows = picture.chunks_exact(size * 3).flat_map(|row| std::iter::repeat_n(row, scale));
    rows.flat_map(|row| row.chunks_exact(3).flat_map(|pixel| std::iter::repeat_n(pixel, scale)))
        .flatten()
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_becomes_a_square() {
        let picture = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 0]].concat();
        let large = enlarged(&picture, 2, 2);
        assert_eq!(large.len(), 4 * 4 * 3);
        assert_eq!(large[..12], [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
        assert_eq!(large[..12], large[12..24]);
    }
}
