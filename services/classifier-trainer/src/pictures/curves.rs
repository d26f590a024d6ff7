//! Loss and accuracy over the epochs.

use std::path::Path;

use anyhow::anyhow;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

use super::style::{GRID, INK, TRAIN, VAL, text};
use crate::history::{EpochFigures, best_epoch};

const SIZE: (u32, u32) = (1200, 480);

/// One of the two charts.
struct Panel {
    title: String,
    train: Vec<(f64, f64)>,
    val: Vec<(f64, f64)>,
    range: (f64, f64),
    percent: bool,
}

/// Draws both charts side by side into a PNG at `path`.
pub(crate) fn draw_curves(path: &Path, history: &[EpochFigures]) -> anyhow::Result<()> {
    let points = |figure: fn(&EpochFigures) -> f64| -> Vec<(f64, f64)> {
        history.iter().enumerate().map(|(index, epoch)| ((index + 1) as f64, figure(epoch))).collect()
    };
    let (train_loss, val_loss) = (points(|e| e.train_loss), points(|e| e.val_loss));
    let losses = || train_loss.iter().chain(&val_loss).map(|(_, loss)| *loss);
    let (least, most) = (losses().fold(f64::INFINITY, f64::min), losses().fold(0.0, f64::max));
    let margin = ((most - least) * 0.08).max(0.01);
    let loss_range = ((least - margin).max(0.0), most + margin);
    let panels = [
        Panel { title: "Loss".into(), train: train_loss, val: val_loss, range: loss_range, percent: false },
        Panel {
            title: accuracy_title(history),
            train: points(|e| e.train_accuracy),
            val: points(|e| e.val_accuracy),
            range: (0.0, 1.02),
            percent: true,
        },
    ];
    let root = BitMapBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(|error| anyhow!("{error}")).and_then(|()| {
        for (area, panel) in root.split_evenly((1, 2)).iter().zip(&panels) {
            draw(area, panel, history).map_err(|error| anyhow!("{error}"))?;
        }
        root.present().map_err(|error| anyhow!("{error}"))
    })
}

fn accuracy_title(history: &[EpochFigures]) -> String {
    match best_epoch(history) {
        None => "Accuracy".into(),
        Some(best) => {
            format!("Accuracy: best {:.1} %, epoch {}", history[best].val_accuracy * 100.0, best + 1)
        }
    }
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
type DrawError<'a> = DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

fn draw<'a>(area: &Area<'a>, panel: &Panel, history: &[EpochFigures]) -> Result<(), DrawError<'a>> {
    let last_epoch = history.len().max(2) as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(18)
        .margin_right(28)
        .caption(&panel.title, text(24, INK, HPos::Left, VPos::Top))
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(1.0..last_epoch, panel.range.0..panel.range.1)?;
    let percent = panel.percent;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(16, INK, HPos::Left, VPos::Top))
        .axis_desc_style(text(16, INK, HPos::Left, VPos::Top))
        .x_labels(history.len().clamp(2, 10))
        .y_labels(7)
        .x_label_formatter(&|epoch| if epoch.fract() < 1e-6 { format!("{epoch:.0}") } else { String::new() })
        .y_label_formatter(&|value| {
            if percent { format!("{:.0} %", value * 100.0) } else { format!("{value:.2}") }
        })
        .x_desc("epoch")
        .draw()?;
    for (points, colour, name) in [(&panel.train, TRAIN, "training"), (&panel.val, VAL, "held out")] {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(3)));
        if points.len() < 25 {
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
        }
    }
    if let Some(best) = best_epoch(history) {
        let (x, y) = panel.val[best];
        chart.draw_series([Circle::new((x, y), 8, VAL.stroke_width(2))])?;
    }
    chart
        .configure_series_labels()
        .position(if percent { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight })
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(text(16, INK, HPos::Left, VPos::Top))
        .margin(12)
        .draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_epochs_can_be_drawn() {
        let file = tempfile::Builder::new().suffix(".png").tempfile().unwrap();
        for epochs in [1, 2, 7, 300] {
            let epoch = |i: usize| EpochFigures {
                train_loss: 2.3 / (i as f64 + 1.0),
                train_accuracy: 1.0 - 0.9 / (i as f64 + 1.0),
                val_loss: 2.5 / (i as f64 + 1.0) + 0.1,
                val_accuracy: 1.0 - 0.95 / (i as f64 + 1.0),
            };
            draw_curves(file.path(), &(0..epochs).map(epoch).collect::<Vec<_>>()).unwrap();
            assert_eq!(image::image_dimensions(file.path()).unwrap(), SIZE);
        }
    }
}
