//! `rekindle sweep plot`: every trial's figure over its steps.

use std::{path::Path, sync::OnceLock};

use anyhow::{Context as _, anyhow};
use contract::{JobId, Message, SweepId, control::GetHistory, events::AttemptMetrics};
use plotters::{
    prelude::*,
    style::{
        FontStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};
use serde::Deserialize;

use super::{whole, words};
use crate::{
    client::Client,
    context::Context,
    exit::{Exit, NotFound, UsageError},
};

const SIZE: (u32, u32) = (1200, 640);
/// Text, axes and titles.
const INK: RGBColor = RGBColor(40, 44, 52);
/// Lines behind the data.
const GRID: RGBColor = RGBColor(228, 231, 236);
/// The trials, and the best of them: told apart by colour-blind eyes too (Okabe & Ito, 2008).
const TRIAL: RGBColor = RGBColor(86, 180, 233);
const BEST: RGBColor = RGBColor(213, 94, 0);

/// One trial's figures by step.
type Curve = Vec<(f64, f64)>;

/// What is drawn.
struct Plot {
    title: String,
    metric: String,
    trials: Vec<Curve>,
    best: Option<Curve>,
}

pub(super) async fn run(sweep_id: &SweepId, output: &Path, context: &Context) -> anyhow::Result<Exit> {
    if !output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        let problem = format!("{} is no PNG; name a file that ends in .png", output.display());
        return Err(UsageError(problem).into());
    }
    let client = context.connect().await?;
    let view = whole(&client, sweep_id).await?;
    let Some(objective) = &view.submission.objective else {
        return Err(
            NotFound(format!("sweep {sweep_id} has no objective, so there is nothing to draw")).into()
        );
    };
    let metric = objective.metric.clone();
    let best_number = view.summary.best.as_ref().map(|best| best.number);
    let (mut trials, mut best) = (Vec::new(), None);
    for trial in view.trials.iter().filter(|trial| trial.state.is_some()) {
        let curve = curve(&client, &trial.job_id, &metric).await?;
        match best_number == Some(trial.number) {
            true => best = Some(curve),
            false => trials.push(curve),
        }
    }
    let title = match &view.summary.best {
        Some(best) => format!(
            "{}: {} {} with {}",
            best.job_id,
            metric,
            crate::text::figure(best.value),
            words(&best.params)
        ),
        None => sweep_id.to_string(),
    };
    draw(output, &Plot { title, metric, trials, best })
        .with_context(|| format!("cannot draw {}", output.display()))?;
    let path = output.display().to_string();
    context.output.answer(&serde_json::json!({ "picture": path }), || format!("{path}\n"))?;
    Ok(Exit::Success)
}

/// A trial's figures, from its history.
async fn curve(client: &Client, job_id: &JobId, metric: &str) -> anyhow::Result<Curve> {
    let (mut curve, mut after) = (Curve::new(), 0);
    loop {
        let page = client.ask(&GetHistory { job_id: job_id.clone(), after }).await?;
        for entry in &page.entries {
            after = after.max(entry.seq);
            if entry.event["kind"] == AttemptMetrics::KIND
                && let Ok(report) = AttemptMetrics::deserialize(&entry.event)
                && let Some(figure) = report.metrics.get(metric)
            {
                curve.push((report.step as f64, *figure));
            }
        }
        if !page.more || page.entries.is_empty() {
            break;
        }
    }
    // An attempt that went on from a checkpoint tells some steps again; the last word counts.
    curve.reverse();
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    curve.dedup_by(|a, b| a.0 == b.0);
    Ok(curve)
}

fn draw(path: &Path, plot: &Plot) -> anyhow::Result<()> {
    let points = || plot.trials.iter().chain(&plot.best).flatten();
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let (least, most) = points().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), point| {
        (least.min(point.1), most.max(point.1))
    });
    let (least, most) = if least <= most { (least, most) } else { (0.0, 1.0) };
    let margin = ((most - least) * 0.06).max(most.abs().max(least.abs()) * 1e-3).max(1e-9);
    let failed = |error: &dyn std::fmt::Display| anyhow!("{error}");
    let root = BitMapBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&root)
        .margin(18)
        .margin_right(28)
        .caption(&plot.title, text(22, VPos::Top))
        .x_label_area_size(48)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..last, least - margin..most + margin)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(16, VPos::Top))
        .axis_desc_style(text(16, VPos::Top))
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|value| crate::text::figure(*value))
        .x_desc("step")
        .y_desc(&plot.metric)
        .draw()
        .map_err(|error| failed(&error))?;
    let others = plot.trials.iter().map(|curve| (curve, TRIAL.mix(0.8).stroke_width(2)));
    let best = plot.best.iter().map(|curve| (curve, BEST.stroke_width(4)));
    // The best one last, so that nothing covers it.
    for (curve, style) in others.chain(best) {
        chart.draw_series(LineSeries::new(curve.iter().copied(), style)).map_err(|error| failed(&error))?;
        let end = curve.last().map(|point| Circle::new(*point, 4, style.filled()));
        chart.draw_series(end).map_err(|error| failed(&error))?;
    }
    root.present().map_err(|error| failed(&error))
}

/// Text of this size in pixels. The font comes with the program, because servers seldom have one.
fn text(size: u32, v: VPos) -> TextStyle<'static> {
    static FONT: OnceLock<()> = OnceLock::new();
    FONT.get_or_init(|| {
        // Without it the picture cannot be drawn, and says so.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
    TextStyle {
        font: ("sans-serif", size).into_font(),
        color: INK.to_backend_color(),
        pos: Pos::new(HPos::Left, v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_trials_can_be_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.png");
        let curve =
            |n: u32| (0..n).map(|step| (f64::from(step), f64::from(n) / f64::from(step + 1))).collect();
        let mut sizes = Vec::new();
        for (trials, best) in
            [(vec![], None), (vec![], Some(1)), (vec![0, 1, 30], Some(40)), (vec![7; 200], None)]
        {
            let plot = Plot {
                title: "lr-3: val_accuracy 0.9 with lr=0.1".into(),
                metric: "val_accuracy".into(),
                trials: trials.into_iter().map(curve).collect(),
                best: best.map(curve),
            };
            draw(&path, &plot).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
            // Width and height stand in the header.
            let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            assert_eq!((number(16), number(20)), SIZE);
            sizes.push(bytes.len());
        }
        assert!(sizes[0] < sizes[2], "curves take ink: {sizes:?}");
    }
}
