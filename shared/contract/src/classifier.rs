//! The parameters of the `classifier` workload: a ResNet trained on a folder of images, one folder a class.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::params::{ParamsError, Precision, WorkloadParams, is_up_to, right};

/// The workload's name.
pub const WORKLOAD: &str = "classifier";

/// What a classifier job trains on and how. A misspelt name is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassifierParams {
    /// The folder with one folder of images a class. With `train/` and `val/` (or `test/`) in it, those are used;
    /// otherwise `val_split` of each class is held out. It lies under one of the trainer's configured roots.
    pub data: String,
    /// The network (He et al., arXiv 1512.03385).
    #[serde(default)]
    pub arch: Arch,
    /// The first layers: as for ImageNet, or gentler for small images.
    #[serde(default)]
    pub stem: Stem,
    /// A safetensors file with torchvision's parameter names to start from; a head of another size is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_from: Option<String>,
    /// Passes over the data.
    #[serde(default = "d::epochs")]
    pub epochs: u32,
    /// Images a step, over all accumulated parts.
    #[serde(default = "d::batch_size")]
    pub batch_size: u32,
    /// Parts a step is computed in, to save memory.
    #[serde(default = "d::one")]
    pub accumulation: u32,
    /// The highest learning rate.
    #[serde(default = "d::lr")]
    pub lr: f64,
    /// AdamW's decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101); not on biases and norms.
    #[serde(default = "d::weight_decay")]
    pub weight_decay: f64,
    /// Epochs of linear warm-up before the cosine decay.
    #[serde(default = "d::warmup_epochs")]
    pub warmup_epochs: f64,
    /// The largest global norm of the gradient; 0 turns clipping off.
    #[serde(default = "d::clip_norm")]
    pub clip_norm: f64,
    /// Label smoothing (Szegedy et al., arXiv 1512.00567).
    #[serde(default = "d::label_smoothing")]
    pub label_smoothing: f64,
    /// How much training images are changed at random.
    #[serde(default)]
    pub augment: Augment,
    /// The side of the square the network sees, in pixels.
    #[serde(default = "d::image_size")]
    pub image_size: u32,
    /// The share held out for validation, chosen by each file's name, so that it stays when files come or go.
    #[serde(default = "d::val_split")]
    pub val_split: f64,
    /// Epochs without a better validation accuracy until training ends; 0 never ends early.
    #[serde(default)]
    pub early_stop_patience: u32,
    /// The seed of every random choice.
    #[serde(default)]
    pub seed: u64,
    /// The arithmetic of forward and backward.
    #[serde(default)]
    pub precision: Precision,
    /// The share of unreadable images above which the job fails.
    #[serde(default = "d::max_unreadable")]
    pub max_unreadable: f64,
    /// Checkpoint every so many steps besides the scheduler's interval by time; 0 leaves it to the time.
    #[serde(default)]
    pub checkpoint_every_steps: u32,
}

/// The network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// ResNet-18, 11.7 M parameters at 1,000 classes.
    #[default]
    Resnet18,
    /// ResNet-34, 21.8 M.
    Resnet34,
    /// ResNet-50, 25.6 M.
    Resnet50,
}

/// The first layers of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// 7×7 stride 2 and a max-pool, as in torchvision.
    #[default]
    Imagenet,
    /// 3×3 stride 1 and no pool, as the ResNet paper does for CIFAR.
    Small,
}

/// How much training images are changed at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Augment {
    /// Not at all.
    None,
    /// A shift of a few pixels.
    Light,
    /// A random crop and a flip.
    #[default]
    Medium,
    /// A random crop, a flip, colour and a cut-out (DeVries & Taylor, arXiv 1708.04552).
    Strong,
}

impl WorkloadParams for ClassifierParams {
    const WORKLOAD: &'static str = WORKLOAD;
    const IMMATERIAL: &'static [&'static str] = &["data", "max_unreadable", "checkpoint_every_steps"];

    fn validate(&self) -> Result<(), ParamsError> {
        let epochs = f64::from(self.epochs);
        right(
            !self.data.is_empty(),
            "data",
            "empty",
            "the path of a folder with one folder of images a class",
        )?;
        right((1..=10_000).contains(&self.epochs), "epochs", self.epochs, "1 to 10,000")?;
        right((1..=65_536).contains(&self.batch_size), "batch_size", self.batch_size, "1 to 65,536")?;
        let divides = self.accumulation != 0 && self.batch_size.is_multiple_of(self.accumulation);
        right(divides, "accumulation", self.accumulation, "a divisor of batch_size")?;
        right(0.0 < self.lr && self.lr <= 10.0, "lr", self.lr, "more than 0, at most 10")?;
        right(is_up_to(10.0, self.weight_decay), "weight_decay", self.weight_decay, "0 to 10")?;
        right(
            is_up_to(epochs, self.warmup_epochs),
            "warmup_epochs",
            self.warmup_epochs,
            "0 to the number of epochs",
        )?;
        right(is_up_to(f64::MAX, self.clip_norm), "clip_norm", self.clip_norm, "0 (off) or more")?;
        let smooths = is_up_to(1.0, self.label_smoothing) && self.label_smoothing < 1.0;
        right(smooths, "label_smoothing", self.label_smoothing, "0 to less than 1")?;
        right((8..=1024).contains(&self.image_size), "image_size", self.image_size, "8 to 1,024 pixels")?;
        let splits = 0.0 < self.val_split && self.val_split < 1.0;
        right(splits, "val_split", self.val_split, "more than 0, less than 1")?;
        right(is_up_to(1.0, self.max_unreadable), "max_unreadable", self.max_unreadable, "0 to 1")
    }
}

/// The defaults, where a type's own will not do.
mod d {
    pub(super) fn epochs() -> u32 {
        20
    }
    pub(super) fn batch_size() -> u32 {
        64
    }
    pub(super) fn one() -> u32 {
        1
    }
    pub(super) fn lr() -> f64 {
        1e-3
    }
    pub(super) fn weight_decay() -> f64 {
        0.05
    }
    pub(super) fn warmup_epochs() -> f64 {
        1.0
    }
    pub(super) fn clip_norm() -> f64 {
        1.0
    }
    pub(super) fn label_smoothing() -> f64 {
        0.1
    }
    pub(super) fn image_size() -> u32 {
        128
    }
    pub(super) fn val_split() -> f64 {
        0.2
    }
    pub(super) fn max_unreadable() -> f64 {
        0.05
    }
}
