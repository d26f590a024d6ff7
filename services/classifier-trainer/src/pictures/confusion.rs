//! Which classes are taken for which.

use std::path::Path;

use anyhow::anyhow;
use plotters::{
    prelude::*,
    style::{
        FontTransform,
        text_anchor::{HPos, VPos},
    },
};

use training::pictures::{GRID, INK, TRAIN, shortened, text};

/// Names longer than this are cut.
const LONGEST_NAME: usize = 22;
/// Room above for the title, and at the right and below so that nothing touches the edge.
const TOP: i32 = 76;
const EDGE: i32 = 24;
/// With more classes, names would be too small to read.
const MOST_NAMED: usize = 80;

/// Where things are, in pixels.
struct Layout {
    cell: i32,
    names: i32,
    font: u32,
    /// Whether names below the columns stand upright, because they are too long to lie.
    turned: bool,
    size: (u32, u32),
}

impl Layout {
    fn of(classes: &[String]) -> Self {
        let count = classes.len() as i32;
        let cell = (720 / count).clamp(4, 72);
        let font = (cell * 2 / 5).clamp(9, 17) as u32;
        let longest = classes.iter().map(|name| name.chars().count().min(LONGEST_NAME)).max().unwrap_or(0);
        let names =
            if classes.len() <= MOST_NAMED { 24 + longest as i32 * font as i32 * 2 / 3 } else { EDGE };
        // Wide enough for the title.
        let width = (names + cell * count + EDGE).max(560);
        let turned = cell < longest as i32 * font as i32 * 2 / 3;
        Self { cell, names, font, turned, size: (width as u32, (TOP + cell * count + names) as u32) }
    }
}

/// Draws the matrix into a PNG at `path`: a row for each class, a column for what it was taken for.
pub(crate) fn draw_confusion(path: &Path, classes: &[String], confusion: &[Vec<u64>]) -> anyhow::Result<()> {
    let layout = Layout::of(classes);
    let root = BitMapBackend::new(path, layout.size).into_drawing_area();
    let drawn = draw(&root, &layout, classes, confusion);
    drawn.map_err(|error| anyhow!("{error}"))
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
type DrawError<'a> = DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

fn draw<'a>(
    area: &Area<'a>,
    layout: &Layout,
    classes: &[String],
    confusion: &[Vec<u64>],
) -> Result<(), DrawError<'a>> {
    area.fill(&WHITE)?;
    let all: u64 = confusion.iter().flatten().sum();
    let right: u64 = (0..classes.len()).map(|class| confusion[class][class]).sum();
    let left = text(22, INK, HPos::Left, VPos::Top);
    area.draw(&Text::new(format!("{right} of {all} images held out are right"), (EDGE, 16), left))?;
    let explanation = "rows: what an image shows; columns: what it was taken for";
    area.draw(&Text::new(explanation, (EDGE, 46), text(14, INK, HPos::Left, VPos::Top)))?;

    let place = |index: usize| index as i32 * layout.cell;
    for (row, counts) in confusion.iter().enumerate() {
        let of_class: u64 = counts.iter().sum();
        for (column, &count) in counts.iter().enumerate() {
            let corner = (layout.names + place(column), TOP + place(row));
            draw_cell(area, layout, corner, (count, of_class))?;
        }
    }
    if MOST_NAMED < classes.len() {
        return area.present();
    }
    for (index, class) in classes.iter().enumerate() {
        let name = shortened(class, LONGEST_NAME);
        let middle = place(index) + layout.cell / 2;
        let beside = text(layout.font, INK, HPos::Right, VPos::Center);
        area.draw(&Text::new(name.clone(), (layout.names - 8, TOP + middle), beside))?;
        let below = if layout.turned {
            // Turned, text hangs by its end, which is above.
            text(layout.font, INK, HPos::Right, VPos::Center).transform(FontTransform::Rotate270)
        } else {
            text(layout.font, INK, HPos::Center, VPos::Top)
        };
        let bottom = TOP + place(classes.len()) + 8;
        area.draw(&Text::new(name, (layout.names + middle, bottom), below))?;
    }
    area.present()
}

fn draw_cell<'a>(
    area: &Area<'a>,
    layout: &Layout,
    (x, y): (i32, i32),
    (count, of_class): (u64, u64),
) -> Result<(), DrawError<'a>> {
    let corners = [(x, y), (x + layout.cell, y + layout.cell)];
    // The square root lets a few mistakes among many images show.
    let share = (count as f64 / of_class.max(1) as f64).sqrt();
    area.draw(&Rectangle::new(corners, TRAIN.mix(share).filled()))?;
    if 8 < layout.cell {
        area.draw(&Rectangle::new(corners, GRID.stroke_width(1)))?;
    }
    if 0 < count && 22 <= layout.cell {
        let colour = if 0.6 < share { RGBColor(255, 255, 255) } else { INK };
        let style = text(layout.font, colour, HPos::Center, VPos::Center);
        area.draw(&Text::new(count.to_string(), (x + layout.cell / 2, y + layout.cell / 2), style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_classes_can_be_drawn() {
        let file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
        for count in [2, 10, 120] {
            let classes: Vec<String> =
                (0..count).map(|i| format!("class number {i} with a long name")).collect();
            let confusion: Vec<Vec<u64>> = (0..count)
                .map(|row| {
                    (0..count)
                        .map(|column| if row == column { 40 } else { (row + column) as u64 % 3 })
                        .collect()
                })
                .collect();
            draw_confusion(file.path(), &classes, &confusion).unwrap();
            let (width, height) = image::image_dimensions(file.path()).unwrap();
            assert!(
                (500..1400).contains(&width) && (300..1400).contains(&height),
                "{count}: {width}x{height}"
            );
        }
    }
}
