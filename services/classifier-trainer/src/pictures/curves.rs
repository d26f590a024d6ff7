//! Loss and accuracy over the epochs.

use std::path::Path;

use training::pictures::{Chart, draw_charts};

use crate::history::{EpochFigures, best_epoch};

/// Draws both charts side by side into a PNG at `path`.
pub(crate) fn draw_curves(path: &Path, history: &[EpochFigures]) -> anyhow::Result<()> {
    let points = |figure: fn(&EpochFigures) -> f64| -> Vec<(f64, f64)> {
        history.iter().enumerate().map(|(index, epoch)| ((index + 1) as f64, figure(epoch))).collect()
    };
    let best = best_epoch(history);
    let chart = |title: String, train, val: fn(&EpochFigures) -> f64| Chart {
        title,
        x: "epoch",
        train: points(train),
        val: points(val),
        range: None,
        percent: false,
        best: best.map(|best| ((best + 1) as f64, val(&history[best]))),
    };
    let losses = chart("Loss".into(), |e| e.train_loss, |e| e.val_loss);
    let accuracies = chart(accuracy_title(history, best), |e| e.train_accuracy, |e| e.val_accuracy);
    draw_charts(path, &[losses, Chart { range: Some((0.0, 1.02)), percent: true, ..accuracies }])
}

fn accuracy_title(history: &[EpochFigures], best: Option<usize>) -> String {
    match best {
        None => "Accuracy".into(),
        Some(best) => {
            format!("Accuracy: best {:.1} %, epoch {}", history[best].val_accuracy * 100.0, best + 1)
        }
    }
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
            assert_eq!(image::image_dimensions(file.path()).unwrap(), (1200, 480));
        }
    }
}
