//! The parameters of the `dit` workload: a diffusion transformer trained to generate images of the classes in a folder.

mod sampling;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::params::{ParamsError, Precision, WorkloadParams, is_up_to, right};

pub use sampling::{SampleProgress, SampleRequest};

/// The workload's name.
pub const WORKLOAD: &str = "dit";

/// What a DiT job trains on and how. A misspelt name is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DitParams {
    /// The folder with one folder of images a class. With `train/` and `val/` (or `test/`) in it, those are used;
    /// otherwise `val_split` of each class is held out. It lies under one of the trainer's configured roots.
    pub data: String,
    /// The network (Peebles & Xie, arXiv 2212.09748).
    #[serde(default)]
    pub model: Model,
    /// The side of the square that is generated, in pixels; absent, what the model is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<u32>,
    /// The side of the square patches that the network sees as tokens, in pixels; absent, what the model is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_size: Option<u32>,
    /// Steps of training.
    #[serde(default = "d::steps")]
    pub steps: u64,
    /// Images a step, over all accumulated parts.
    #[serde(default = "d::batch_size")]
    pub batch_size: u32,
    /// Parts a step is computed in, to save memory.
    #[serde(default = "d::one")]
    pub accumulation: u32,
    /// The highest learning rate.
    #[serde(default = "d::lr")]
    pub lr: f64,
    /// Steps of linear warm-up before the cosine decay; absent, a twentieth of all, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// AdamW's decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101); not on biases.
    #[serde(default = "d::weight_decay")]
    pub weight_decay: f64,
    /// The largest global norm of the gradient; 0 turns clipping off.
    #[serde(default = "d::clip_norm")]
    pub clip_norm: f64,
    /// How slowly the moving average of the weights forgets; the average is what generates. It begins lower and rises to
    /// this.
    #[serde(default = "d::ema_decay")]
    pub ema_decay: f64,
    /// How the time of each image on its way from noise is drawn.
    #[serde(default)]
    pub time: TimeSampling,
    /// The share of training images whose class is kept from the network, so that it can be guided (Ho & Salimans,
    /// arXiv 2207.12598).
    #[serde(default = "d::class_dropout")]
    pub class_dropout: f64,
    /// Whether every second training image is shown mirrored. Not for digits or letters.
    #[serde(default = "d::flip")]
    pub flip: bool,
    /// The share held out for validation, chosen by each file's name, so that it stays when files come or go.
    #[serde(default = "d::val_split")]
    pub val_split: f64,
    /// Steps from one validation to the next; the last step is always followed by one.
    #[serde(default = "d::validate_every_steps")]
    pub validate_every_steps: u64,
    /// Validations without a lower loss until training ends; 0 never ends early.
    #[serde(default)]
    pub early_stop_patience: u32,
    /// Steps from one grid of samples to the next; 0 draws one at the end only.
    #[serde(default = "d::sample_every_steps")]
    pub sample_every_steps: u64,
    /// How samples are drawn.
    #[serde(default)]
    pub solver: Solver,
    /// Steps of the solver from noise to image.
    #[serde(default = "d::solver_steps")]
    pub solver_steps: u32,
    /// How strongly samples are guided towards their class; 1 is not at all.
    #[serde(default = "d::guidance")]
    pub guidance: f64,
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

/// The network. Parameters are counted at 10 classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Model {
    /// 32 pixels in patches of 4, 128 wide, 4 deep, 4 heads: 1.3 M, for a CPU.
    #[serde(rename = "tiny")]
    Tiny,
    /// 128 pixels in patches of 16, 384 wide, 12 deep, 6 heads: 33 M.
    #[default]
    #[serde(rename = "tinydit")]
    TinyDit,
    /// DiT-S: 128 pixels in patches of 8, 384 wide, 12 deep, 6 heads: 33 M.
    #[serde(rename = "dit-s")]
    DitS,
    /// DiT-B: 128 pixels in patches of 8, 768 wide, 12 deep, 12 heads: 130 M.
    #[serde(rename = "dit-b")]
    DitB,
}

/// The numbers that make a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The side of its images, in pixels.
    pub image_size: u32,
    /// The side of a patch, in pixels.
    pub patch_size: u32,
    /// Values a token has.
    pub width: u32,
    /// Blocks, one after the other.
    pub depth: u32,
    /// Heads of attention a block.
    pub heads: u32,
}

/// How the time of each image on its way from noise (0) to image (1) is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeSampling {
    /// All times alike.
    Uniform,
    /// The logistic function of a standard normal number: more often half way (Esser et al., arXiv 2403.03206).
    #[default]
    LogitNormal,
}

/// How a sample gets from noise to image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Solver {
    /// Euler's method: the network is asked once a step.
    Euler,
    /// Heun's method, of second order: it is asked twice a step, and fewer steps do.
    #[default]
    Heun,
}

impl DitParams {
    /// The network's numbers, with what the job says otherwise.
    pub fn shape(&self) -> Shape {
        let (image_size, patch_size, width, depth, heads) = match self.model {
            Model::Tiny => (32, 4, 128, 4, 4),
            Model::TinyDit => (128, 16, 384, 12, 6),
            Model::DitS => (128, 8, 384, 12, 6),
            Model::DitB => (128, 8, 768, 12, 12),
        };
        Shape {
            image_size: self.image_size.unwrap_or(image_size),
            patch_size: self.patch_size.unwrap_or(patch_size),
            width,
            depth,
            heads,
        }
    }

    /// Steps of warm-up.
    pub fn warmup(&self) -> u64 {
        self.warmup_steps.unwrap_or((self.steps / 20).min(1000))
    }
}

impl WorkloadParams for DitParams {
    const WORKLOAD: &'static str = WORKLOAD;
    const IMMATERIAL: &'static [&'static str] = &[
        "data",
        "max_unreadable",
        "checkpoint_every_steps",
        "sample_every_steps",
        "solver",
        "solver_steps",
        "guidance",
    ];

    fn validate(&self) -> Result<(), ParamsError> {
        let Shape { image_size, patch_size, .. } = self.shape();
        right(
            !self.data.is_empty(),
            "data",
            "empty",
            "the path of a folder with one folder of images a class",
        )?;
        right((8..=1024).contains(&image_size), "image_size", image_size, "8 to 1,024 pixels")?;
        let divides = patch_size != 0 && image_size.is_multiple_of(patch_size);
        let takes = format!("a divisor of image_size, which is {image_size}");
        right(divides, "patch_size", patch_size, &takes)?;
        let tokens = (image_size / patch_size).pow(2);
        right(tokens <= 4096, "patch_size", patch_size, "what cuts an image into at most 4,096 patches")?;
        right((1..=10_000_000).contains(&self.steps), "steps", self.steps, "1 to 10,000,000")?;
        right((1..=65_536).contains(&self.batch_size), "batch_size", self.batch_size, "1 to 65,536")?;
        let divides = self.accumulation != 0 && self.batch_size.is_multiple_of(self.accumulation);
        right(divides, "accumulation", self.accumulation, "a divisor of batch_size")?;
        right(0.0 < self.lr && self.lr <= 10.0, "lr", self.lr, "more than 0, at most 10")?;
        right(self.warmup() <= self.steps, "warmup_steps", self.warmup(), "0 to the number of steps")?;
        right(is_up_to(10.0, self.weight_decay), "weight_decay", self.weight_decay, "0 to 10")?;
        right(is_up_to(f64::MAX, self.clip_norm), "clip_norm", self.clip_norm, "0 (off) or more")?;
        let forgets = is_up_to(1.0, self.ema_decay) && self.ema_decay < 1.0;
        right(forgets, "ema_decay", self.ema_decay, "0 to less than 1")?;
        right(is_up_to(1.0, self.class_dropout), "class_dropout", self.class_dropout, "0 to 1")?;
        let splits = 0.0 < self.val_split && self.val_split < 1.0;
        right(splits, "val_split", self.val_split, "more than 0, less than 1")?;
        let validates = 1 <= self.validate_every_steps;
        right(validates, "validate_every_steps", self.validate_every_steps, "1 or more")?;
        sampling::validate(self.solver_steps, self.guidance)?;
        right(is_up_to(1.0, self.max_unreadable), "max_unreadable", self.max_unreadable, "0 to 1")
    }
}

/// The defaults, where a type's own will not do.
mod d {
    pub(super) fn steps() -> u64 {
        20_000
    }
    pub(super) fn batch_size() -> u32 {
        64
    }
    pub(super) fn one() -> u32 {
        1
    }
    pub(super) fn lr() -> f64 {
        3e-4
    }
    pub(super) fn weight_decay() -> f64 {
        0.01
    }
    pub(super) fn clip_norm() -> f64 {
        1.0
    }
    pub(super) fn ema_decay() -> f64 {
        0.9999
    }
    pub(super) fn class_dropout() -> f64 {
        0.1
    }
    pub(super) fn flip() -> bool {
        true
    }
    pub(super) fn val_split() -> f64 {
        0.1
    }
    pub(super) fn validate_every_steps() -> u64 {
        500
    }
    pub(super) fn sample_every_steps() -> u64 {
        2000
    }
    pub(super) fn solver_steps() -> u32 {
        25
    }
    pub(super) fn guidance() -> f64 {
        2.0
    }
    pub(super) fn max_unreadable() -> f64 {
        0.05
    }
}
