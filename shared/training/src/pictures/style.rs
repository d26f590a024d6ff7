//! How pictures look. The font comes with the program, because machines with GPUs seldom have one.

use std::sync::OnceLock;

use plotters::style::{
    Color, FontStyle, IntoFont, RGBColor, TextStyle, register_font,
    text_anchor::{HPos, Pos, VPos},
};

/// Text, axes and titles.
pub const INK: RGBColor = RGBColor(40, 44, 52);
/// Lines behind the data.
pub const GRID: RGBColor = RGBColor(228, 231, 236);
/// What is learned from. This blue and this orange are told apart by colour-blind eyes too (Okabe & Ito, 2008).
pub const TRAIN: RGBColor = RGBColor(0, 114, 178);
/// What is judged by.
pub const VAL: RGBColor = RGBColor(213, 94, 0);

/// Text of this size in pixels, hung up by this point of it.
pub fn text(size: u32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    static FONT: OnceLock<()> = OnceLock::new();
    FONT.get_or_init(|| {
        for (style, bytes) in
            [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())]
        {
            if register_font("sans-serif", style, bytes).is_err() {
                tracing::warn!("the font that comes with the program cannot be read");
            }
        }
    });
    TextStyle {
        font: ("sans-serif", size).into_font(),
        color: colour.to_backend_color(),
        pos: Pos::new(h, v),
    }
}

/// The name, or as much of it as has room.
pub fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}
