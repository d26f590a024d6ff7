//! A step of training that nobody needs, so that a job's first does not wait for what libtorch prepares once.

use contract::dit::{Shape, TimeSampling};
use tch::{Kind, Tensor};
use torch::{AdamW, AdamWOptions, Precision, drop_cache, use_threads};

use crate::{Dit, DitConfig, Drawing, StepOptions, patchify, train_step};

const IMAGES: i64 = 4;
const SIDE: i64 = 32;
const SHAPE: Shape = Shape { image_size: SIDE as u32, patch_size: 4, width: 64, depth: 2, heads: 2 };

/// Learns from a few grey images in each precision, and forgets it.
pub(crate) fn warm_up(threads: u32) {
    use_threads(threads);
    let device = torch::device();
    for precision in [Precision::Fp32, Precision::Bf16] {
        let model = Dit::new(DitConfig { shape: SHAPE, classes: 2, precision }, device, 0);
        let mut optimizer = AdamW::new(model.parameters(), AdamWOptions::default());
        let images = Tensor::zeros([IMAGES, 3, SIDE, SIDE], (Kind::Float, device));
        let labels = Tensor::zeros([IMAGES], (Kind::Int64, device));
        let patches = patchify(&images, SHAPE.patch_size);
        let drawing = Drawing { seed: 0, time: TimeSampling::Uniform, class_dropout: 0.1, no_class: 2 };
        let draw = drawing.draw(0, &patches.size(), &labels);
        let options = StepOptions { lr: 0.0, clip_norm: 1.0, accumulation: 1 };
        train_step(&model, &mut optimizer, &patches, &draw, &options).loss.double_value(&[]);
    }
    drop_cache(device);
}
