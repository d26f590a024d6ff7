//! What a finished run leaves behind.

use std::{collections::BTreeMap, path::Path};

use contract::{Failure, checkpoints::CheckpointRole, events::RunResult};
use serde_json::json;
use tch::{Tensor, no_grad};
use torch::{
    images::{CHANNEL_MEAN, CHANNEL_STD},
    write_tensors,
};
use training::{Pace, pictures::keep_picture, transient};
use worker::{Control, RunError};

use crate::{
    history::best_epoch,
    pictures::{draw_confusion, draw_curves},
    state::State,
    train::Task,
};

/// Saves the final state, then keeps the best model, its confusion matrix and the curves.
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
    let best = best_epoch(&state.history).expect("a run has at least one epoch");
    no_grad(|| {
        for (name, mut tensor) in state.model.tensors() {
            tensor.copy_(&state.best[&name]);
        }
    });
    let confusion = match task.validate(state, pace, control) {
        // The final state is on its way already; the next attempt concludes from there.
        Err(RunError::Stopped(cause)) if cause.wants_checkpoint() => {
            control.flush()?;
            return Err(RunError::Stopped(cause));
        }
        other => other?.confusion,
    };

    let model = task.run.folder.join("model.safetensors");
    export(task, state, best, &model)?;
    control.artifact("model.safetensors", &model)?;
    let curves = task.run.folder.join("curves.png");
    keep_picture(&curves, draw_curves(&curves, &state.history), control)?;
    let matrix = task.run.folder.join("confusion.png");
    keep_picture(&matrix, draw_confusion(&matrix, &task.images.classes, &confusion), control)?;
    control.flush()?;
    Ok(RunResult { metrics: metrics(task, state, best, pace), artifacts: Vec::new() })
}

/// Writes the best model under torchvision's names, with what is needed to use it.
fn export(task: &Task<'_>, state: &State, best: usize, path: &Path) -> Result<(), Failure> {
    let batches = task.plan.end_of_epoch(best) * u64::from(task.ladder.parts());
    let mut tensors = BTreeMap::new();
    for (name, tensor) in &state.best {
        if let Some(norm) = name.strip_suffix("running_mean") {
            tensors.insert(format!("{norm}num_batches_tracked"), Tensor::from(batches.cast_signed()));
        }
        tensors.insert(name.clone(), tensor.shallow_clone());
    }
    let size = task.params.image_size;
    let text = json!({
        "workload": contract::classifier::WORKLOAD,
        "arch": task.params.arch,
        "stem": task.params.stem,
        "classes": task.images.classes,
        "preprocessing": {
            "resize": format!("short side to {size}, bilinear with antialiasing; then the {size}x{size} square in the middle"),
            "mean": CHANNEL_MEAN,
            "std": CHANNEL_STD,
        },
        "epoch": best + 1,
        "val_accuracy": state.history[best].val_accuracy,
    });
    write_tensors(path, &tensors, &text.to_string()).map_err(transient)
}

fn metrics(task: &Task<'_>, state: &State, best: usize, pace: &Pace) -> BTreeMap<String, f64> {
    let last = state.history.last().expect("a run has at least one epoch");
    let mut metrics = last.by_name();
    metrics.insert("best_val_accuracy".into(), state.history[best].val_accuracy);
    metrics.insert("best_epoch".into(), (best + 1) as f64);
    metrics.insert("epochs".into(), state.history.len() as f64);
    metrics.insert("unreadable_images".into(), task.images.unreadable as f64);
    metrics.extend(task.ladder.memory.peak_mib().map(|mib| ("peak_memory_mib".into(), mib as f64)));
    let speed = pace.steps_per_second().map(|steps| steps * task.plan.batch_size as f64);
    metrics.extend(speed.map(|speed| ("images_per_second".into(), speed)));
    metrics
}
