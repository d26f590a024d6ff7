//! Generates images from a checkpoint, for `rekindle sample`: the request comes on standard input, progress goes to
//! standard output, and what is wrong to standard error.

use std::{
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context, bail};
use contract::dit::{SampleProgress, SampleRequest};
use dit_trainer::{Generator, Sampler, noise, pictures};
use image::RgbImage;
use tch::{Kind, Tensor};
use training::pictures::{Row, draw_grid};

/// Images that are generated at once.
const BATCH: usize = 16;

fn main() -> anyhow::Result<()> {
    let request: SampleRequest = serde_json::from_reader(io::stdin().lock()).context("the request")?;
    torch::set_up();
    torch::use_threads(torch::default_threads());
    let generator = Generator::open(&request.checkpoint, torch::device())?;
    let labels = labels(&generator.classes, &request.classes)?;
    let params = request.applied_to(&generator.params)?;
    let sampler = Sampler::of(&params);

    let count = request.count as usize;
    let batches = labels.len() * count.div_ceil(BATCH);
    let of = batches as u64 * u64::from(sampler.steps);
    let mut done = 0;
    let start = noise(&generator.model, params.seed, labels.len() * count);
    let mut rows = Vec::new();
    for (row, label) in labels.iter().enumerate() {
        let mut images = Vec::new();
        while images.len() < count {
            let (first, batch) =
                ((row * count + images.len()) as i64, BATCH.min(count - images.len()) as i64);
            let of_class = Tensor::full([batch], *label as i64, (Kind::Int64, start.device()));
            let sampled =
                sampler.sample(&generator.model, &start.narrow(0, first, batch), &of_class, || {
                    tell(SampleProgress { done, of })?;
                    done += 1;
                    anyhow::Ok(())
                })?;
            images.extend(pictures(&generator.model, &sampled));
        }
        rows.push(Row { label: generator.classes[*label].clone(), pictures: images });
    }
    tell(SampleProgress { done, of })?;

    let size = params.shape().image_size;
    if request.each {
        return keep_each(&request.output, &rows, size);
    }
    draw_grid(&request.output, &format!("after {} steps", generator.step), &rows, size)
        .with_context(|| format!("cannot write {}", request.output.display()))
}

/// The places of the classes that were asked for.
fn labels(classes: &[String], asked: &[String]) -> anyhow::Result<Vec<usize>> {
    if asked.is_empty() {
        return Ok((0..classes.len()).collect());
    }
    let label = |name: &String| match classes.iter().position(|class| class == name) {
        Some(label) => Ok(label),
        None => bail!("there is no class {name:?}; there are {}", classes.join(", ")),
    };
    asked.iter().map(label).collect()
}

fn tell(progress: SampleProgress) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&progress)?)?;
    Ok(out.flush()?)
}

fn keep_each(folder: &Path, rows: &[Row], size: u32) -> anyhow::Result<()> {
    for row in rows {
        let of_class = folder.join(&row.label);
        std::fs::create_dir_all(&of_class)
            .with_context(|| format!("cannot create {}", of_class.display()))?;
        for (index, picture) in row.pictures.iter().enumerate() {
            let path = of_class.join(format!("{index:05}.png"));
            let image = RgbImage::from_raw(size, size, picture.clone()).context("a picture is no square")?;
            image.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}
