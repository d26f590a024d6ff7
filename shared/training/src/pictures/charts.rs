//! How a run learned: what came of training and of validation, over epochs or steps.

use std::path::Path;

use anyhow::anyhow;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

use super::style::{GRID, INK, TRAIN, VAL, text};

/// Of one chart, in pixels.
const WIDTH: u32 = 600;
const HEIGHT: u32 = 480;
/// With more points, a line alone says as much.
const MOST_DOTS: usize = 25;

/// One chart.
#[derive(Debug)]
pub struct Chart {
    /// What stands above.
    pub title: String,
    /// What stands below: `epoch`.
    pub x: &'static str,
    /// What came of training, from left to right.
    pub train: Vec<(f64, f64)>,
    /// What came of the images held out.
    pub val: Vec<(f64, f64)>,
    /// What the chart reaches from and to; absent, what there is to show.
    pub range: Option<(f64, f64)>,
    /// Whether values are shares.
    pub percent: bool,
    /// The point to look at.
    pub best: Option<(f64, f64)>,
}

impl Chart {
    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.train.iter().chain(&self.val)
    }

    fn range(&self) -> (f64, f64) {
        let values = || self.points().map(|(_, y)| *y);
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        let margin = ((most - least) * 0.08).max(0.01);
        self.range.unwrap_or(((least - margin).max(0.0), most + margin))
    }

    /// From the first point to the last, however few there are.
    fn span(&self) -> (f64, f64) {
        let places = || self.points().map(|(x, _)| *x);
        let (first, last) = (places().fold(f64::INFINITY, f64::min), places().fold(0.0, f64::max));
        (first, last.max(first + 1.0))
    }
}

/// Draws charts side by side into a PNG at `path`.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn draw_charts(path: &Path, charts: &[Chart]) -> anyhow::Result<()> {
    let root = BitMapBackend::new(path, (WIDTH * charts.len() as u32, HEIGHT)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    for (area, chart) in root.split_evenly((1, charts.len())).iter().zip(charts) {
        draw(area, chart).map_err(|error| anyhow!("{error}"))?;
    }
    root.present().map_err(|error| anyhow!("{error}"))
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
type DrawError<'a> = DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

fn draw<'a>(area: &Area<'a>, of: &Chart) -> Result<(), DrawError<'a>> {
    let ((first, last), (least, most)) = (of.span(), of.range());
    let mut chart = ChartBuilder::on(area)
        .margin(18)
        .margin_right(28)
        .caption(&of.title, text(24, INK, HPos::Left, VPos::Top))
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(first..last, least..most)?;
    let percent = of.percent;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(16, INK, HPos::Left, VPos::Top))
        .axis_desc_style(text(16, INK, HPos::Left, VPos::Top))
        .x_labels(of.val.len().clamp(2, 10))
        .y_labels(7)
        .x_label_formatter(&|x| if x.fract() < 1e-6 { format!("{x:.0}") } else { String::new() })
        .y_label_formatter(&|y| if percent { format!("{:.0} %", y * 100.0) } else { format!("{y:.2}") })
        .x_desc(of.x)
        .draw()?;
    for (points, colour, name) in [(&of.train, TRAIN, "training"), (&of.val, VAL, "held out")] {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(3)));
        if points.len() < MOST_DOTS {
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
        }
    }
    chart.draw_series(of.best.map(|best| Circle::new(best, 8, VAL.stroke_width(2))))?;
    chart
        .configure_series_labels()
        .position(if percent { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight })
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(text(16, INK, HPos::Left, VPos::Top))
        .margin(12)
        .draw()
}
