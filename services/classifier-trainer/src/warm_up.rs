//! A step of training that nobody needs, so that a job's first does not wait for what libtorch prepares once.

use contract::classifier::{Arch, Stem};
use tch::{Kind, Tensor};
use torch::{AdamW, AdamWOptions, Precision, channels_last, drop_cache, use_threads};

use crate::{ResNet, ResNetConfig, StepOptions, train_step};

const IMAGES: i64 = 4;
const SIDE: i64 = 64;

/// Learns from a few grey images in each precision, and forgets it.
pub(crate) fn warm_up(threads: u32) {
    use_threads(threads);
    let device = torch::device();
    for precision in [Precision::Fp32, Precision::Bf16] {
        let config = ResNetConfig { arch: Arch::Resnet18, stem: Stem::Imagenet, classes: 2, precision };
        let model = ResNet::new(config, device, 0);
        let mut optimizer = AdamW::new(model.parameters(), AdamWOptions::default());
        let images = channels_last(&Tensor::zeros([IMAGES, 3, SIDE, SIDE], (Kind::Float, device)));
        let labels = Tensor::zeros([IMAGES], (Kind::Int64, device));
        let options = StepOptions { lr: 0.0, clip_norm: 1.0, label_smoothing: 0.1, accumulation: 1 };
        train_step(&model, &mut optimizer, &images, &labels, &options).loss.double_value(&[]);
    }
    drop_cache(device);
}
