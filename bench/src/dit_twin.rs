//! Twenty steps of a DiT, ours and PyTorch's, from the same weights, images, noise and times: the losses must agree.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use contract::dit::{Shape, TimeSampling};
use dit_trainer::{Dit, DitConfig, Drawing, StepOptions, patchify, train_step, unpatchify};
use serde_json::json;
use tch::{Device, Kind, Tensor, no_grad};
use torch::{AdamW, AdamWOptions, Precision, WarmupCosine, write_tensors};

use crate::{pytorch, report::Table};

const SHAPE: Shape = Shape { image_size: 32, patch_size: 4, width: 128, depth: 4, heads: 4 };
const CLASSES: usize = 10;
const BATCH: i64 = 16;
const STEPS: u64 = 20;
/// How far a loss may be from the other side's.
const TOLERANCE: f64 = 1e-4;

pub(crate) fn measure() -> anyhow::Result<Table> {
    torch::set_up();
    let threads = torch::default_threads();
    torch::use_threads(threads);
    let config = DitConfig { shape: SHAPE, classes: CLASSES, precision: Precision::Fp32 };
    let model = Dit::new(config, Device::Cpu, 7);
    // From zero, the first steps would learn nothing of most layers.
    no_grad(|| {
        for (_, mut parameter) in model.parameters().filter(|(name, _)| is_zero_at_first(name)) {
            parameter.copy_(&(Tensor::randn(parameter.size(), (Kind::Float, Device::Cpu)) * 0.02));
        }
    });
    let mut tensors: BTreeMap<String, Tensor> =
        model.tensors().into_iter().map(|(name, tensor)| (format!("model.{name}"), tensor.copy())).collect();
    let options = AdamWOptions { beta2: 0.95, weight_decay: 0.01, ..AdamWOptions::default() };
    let mut optimizer = AdamW::new(model.parameters(), options);
    let schedule = WarmupCosine { peak: 1e-3, warmup: 5, total: STEPS };
    let drawing =
        Drawing { seed: 3, time: TimeSampling::LogitNormal, class_dropout: 0.2, no_class: CLASSES as i64 };

    let mut ours = Vec::new();
    for step in 0..STEPS {
        let side = i64::from(SHAPE.image_size);
        let images =
            (Tensor::randn([BATCH, 3, side, side], (Kind::Float, Device::Cpu)) * 0.5).clamp(-1.0, 1.0);
        let patches = patchify(&images, SHAPE.patch_size);
        let labels = Tensor::arange(BATCH, (Kind::Int64, Device::Cpu)).remainder(CLASSES as i64);
        let draw = drawing.draw(step, &patches.size(), &labels);
        let drawn = [
            ("images", images),
            ("noise", unpatchify(&draw.noise, SHAPE.patch_size)),
            ("times", draw.times.copy()),
            ("labels", draw.labels.copy()),
        ];
        tensors.extend(drawn.map(|(name, tensor)| (format!("{name}.{step}"), tensor.contiguous())));
        let options = StepOptions { lr: schedule.at(step), clip_norm: 1.0, accumulation: 1 };
        ours.push(train_step(&model, &mut optimizer, &patches, &draw, &options).loss.double_value(&[]));
    }

    let folder = std::env::temp_dir().join(format!("rekindle-twin-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("twin.safetensors");
    let theirs = write_tensors(&file, &tensors, "{}").map_err(anyhow::Error::from).and_then(|()| {
        let shape = json!({
            "image_size": SHAPE.image_size, "patch_size": SHAPE.patch_size, "width": SHAPE.width,
            "depth": SHAPE.depth, "heads": SHAPE.heads,
        });
        let rates: Vec<f64> = (0..STEPS).map(|step| schedule.at(step)).collect();
        let path = file.display().to_string();
        pytorch::run("dit_twin.py", &[path, threads.to_string(), shape.to_string(), json!(rates).to_string()])
    });
    std::fs::remove_dir_all(&folder)?;
    let theirs = theirs?;
    let theirs = theirs["losses"].as_array().context("the twin told no losses")?;
    ensure!(theirs.len() == ours.len(), "the twin took {} steps", theirs.len());

    let mut table = Table::new(&["step", "Rekindle's loss", "PyTorch's loss", "apart"]);
    for (step, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let theirs = theirs.as_f64().context("a loss is no number")?;
        let apart = (ours - theirs).abs() / theirs;
        ensure!(apart <= TOLERANCE, "step {step}: a loss of {ours}, the twin's is {theirs}");
        if [1, 10, STEPS as usize].contains(&(step + 1)) {
            let digits = |loss: f64| format!("{loss:.6}");
            table.row(&[&(step + 1), &digits(*ours), &digits(theirs), &format!("{apart:.1e}")]);
        }
    }
    Ok(table)
}

fn is_zero_at_first(name: &str) -> bool {
    name.contains("adaLN_modulation") || name.starts_with("final_layer.")
}
