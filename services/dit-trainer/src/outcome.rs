//! What a run leaves behind: its network, samples of it, and how it learned.

use std::{collections::BTreeMap, path::Path};

use contract::{Failure, checkpoints::CheckpointRole, events::RunResult};
use serde_json::json;
use torch::write_tensors;
use training::{
    Pace, Work,
    pictures::{Chart, Row, draw_charts, draw_grid, keep_picture},
    transient,
};
use worker::{Control, RunError};

use crate::{
    Sampler,
    history::{Figures, best},
    sample::{noise, pictures},
    state::State,
    train::Task,
};

/// Classes that a grid shows, the first ones.
const MOST_ROWS: usize = 12;
/// Samples of each.
const COLUMNS: usize = 8;

/// Saves the final state, then keeps the averaged network, samples and the curves.
///
/// # Errors
/// When something cannot be stored.
pub(crate) fn conclude(
    task: &Task<'_>,
    state: &State,
    pace: &Pace,
    control: &mut dyn Control,
) -> Result<RunResult, RunError> {
    task.save(state, CheckpointRole::Final, control)?;
    match keep_samples(task, state, "samples.png", pace, control) {
        // The final state is on its way already; the next attempt concludes from there.
        Err(RunError::Stopped(cause)) if cause.wants_checkpoint() => {
            control.flush()?;
            return Err(RunError::Stopped(cause));
        }
        other => other?,
    }
    let model = task.run.folder.join("model.safetensors");
    export(task, state, &model)?;
    control.artifact("model.safetensors", &model)?;
    let curves = task.run.folder.join("curves.png");
    keep_picture(&curves, draw_charts(&curves, &[chart(&state.history)]), control)?;
    control.flush()?;
    Ok(RunResult { metrics: metrics(task, state, pace), artifacts: Vec::new() })
}

/// Draws samples of the averaged network, the same noise each time so that grids of different steps compare, and keeps
/// them as a labelled grid of this name.
///
/// # Errors
/// [`RunError::Stopped`] when it was told to stop meanwhile; nothing has been saved then. Or when it cannot be stored.
pub(crate) fn keep_samples(
    task: &Task<'_>,
    state: &State,
    name: &str,
    pace: &Pace,
    control: &mut dyn Control,
) -> Result<(), RunError> {
    let sampler = Sampler::of(task.params);
    let classes = &task.images.classes[..task.images.classes.len().min(MOST_ROWS)];
    let noise = noise(&state.average, task.params.seed, classes.len() * COLUMNS);
    let mut rows = Vec::new();
    for (class, label) in classes.iter().enumerate() {
        let (first, count) = ((class * COLUMNS) as i64, COLUMNS as i64);
        let noise = noise.narrow(0, first, count);
        let labels = noise.new_full([count], class as i64, (tch::Kind::Int64, noise.device()));
        let sampled = sampler.sample(&state.average, &noise, &labels, || {
            task.ladder.about_to(state.step, Work::Sampling, count);
            task.meanwhile(state, pace, control)
        })?;
        rows.push(Row { label: label.clone(), pictures: pictures(&state.average, &sampled) });
    }
    let path = task.run.folder.join(name);
    let title = format!("after {} steps", state.step);
    let drawn = draw_grid(&path, &title, &rows, task.params.shape().image_size);
    keep_picture(&path, drawn, control)
}

/// Writes the averaged network under the reference's names, with what is needed to use it.
fn export(task: &Task<'_>, state: &State, path: &Path) -> Result<(), Failure> {
    let shape = task.params.shape();
    let text = json!({
        "workload": contract::dit::WORKLOAD,
        "image_size": shape.image_size,
        "patch_size": shape.patch_size,
        "width": shape.width,
        "depth": shape.depth,
        "heads": shape.heads,
        "classes": task.images.classes,
        "values": "-1 (black) to 1 (white)",
        "objective": "velocity of the straight line from noise (time 0) to image (time 1); the network sees time × 1000",
        "step": state.step,
    });
    write_tensors(path, &state.average.tensors(), &text.to_string()).map_err(transient)
}

fn chart(history: &[Figures]) -> Chart {
    let points = |figure: fn(&Figures) -> f64| -> Vec<(f64, f64)> {
        history.iter().map(|figures| (figures.step as f64, figure(figures))).collect()
    };
    let best = best(history).map(|best| history[best]);
    Chart {
        title: best.map_or("Loss".into(), |best| {
            format!("Loss: best {:.4} held out, step {}", best.val_loss, best.step)
        }),
        x: "step",
        train: points(|figures| figures.train_loss),
        val: points(|figures| figures.val_loss),
        range: None,
        percent: false,
        best: best.map(|best| (best.step as f64, best.val_loss)),
    }
}

fn metrics(task: &Task<'_>, state: &State, pace: &Pace) -> BTreeMap<String, f64> {
    let last = state.history.last().expect("a run ends with a validation");
    let best = state.history[best(&state.history).expect("there is a last one")];
    let mut metrics = last.by_name();
    metrics.insert("best_val_loss".into(), best.val_loss);
    metrics.insert("best_step".into(), best.step as f64);
    metrics.insert("unreadable_images".into(), task.images.unreadable as f64);
    metrics.extend(task.ladder.memory.peak_mib().map(|mib| ("peak_memory_mib".into(), mib as f64)));
    let speed = pace.steps_per_second().map(|steps| steps * task.plan.batch_size as f64);
    metrics.extend(speed.map(|speed| ("images_per_second".into(), speed)));
    metrics
}
