//! How much device memory a job needs, estimated before it is sent anywhere.
//!
//! A step of the `classifier` keeps, in bytes:
//!
//! ```text
//! P × 16                    weights, gradients and AdamW's two moments, fp32
//! P × 4, if accumulated     the sum of the gradients of the parts so far
//! P × 2, if bf16            the weights as the convolutions see them
//! part × saved              what forward keeps of each image for backward
//! part × 2 × largest        the gradients on their way through the widest layer
//! batch × 27 × image_size²  the images as they are read (1 byte a value) and twice as fp32
//! ```
//!
//! `part` is `batch_size / accumulation`. `saved` counts two tensors for each convolution and its norm (the norm's input
//! and the activation), one where the result is added to another, and the input, output and indices of the pool; each
//! value takes 4 bytes, in bf16 2. To the sum come a tenth for what the allocator cannot use, and a fixed
//! [`CONTEXT_MIB`]. How many classes of images there are is not known before the data is read; 1,000 are assumed.
//!
//! A workload without an estimate here runs on every class of its list; `resources.memory_mib` says what it needs.

use contract::{
    MemoryNeed, MemorySource, SubmitJob,
    classifier::{self, Arch, ClassifierParams, Precision, Stem},
};

/// The CUDA context, the kernels of libtorch and cuDNN, and the work space of convolutions, in MiB. On a CPU the program
/// and its libraries come to about as much.
const CONTEXT_MIB: u64 = 1024;
/// Classes of images assumed, as in ImageNet.
const IMAGE_CLASSES: u64 = 1000;
const MIB: u64 = 1024 * 1024;

/// What a job needs: what it asks for, else what its workload is estimated at; `None` where neither is known.
pub fn memory_need(submission: &SubmitJob) -> Option<MemoryNeed> {
    if let Some(mib) = submission.resources.memory_mib {
        let basis = "as resources.memory_mib says".into();
        return Some(MemoryNeed { mib, source: MemorySource::Asked, basis });
    }
    let params = params(submission)?;
    let basis = format!(
        "{}, {} images of {} pixels at a time, {}",
        name(params.arch),
        params.batch_size / params.accumulation,
        params.image_size,
        match params.precision {
            Precision::Fp32 => "fp32",
            Precision::Bf16 => "bf16",
        }
    );
    Some(MemoryNeed { mib: classifier_mib(&params), source: MemorySource::Estimated, basis })
}

/// The least `accumulation` with which a job fits into `mib`, and what it needs then.
pub(crate) fn accumulation_that_fits(submission: &SubmitJob, mib: u64) -> Option<(u32, u64)> {
    let params = params(submission)?;
    let divisors = (1..=params.batch_size).filter(|parts| params.batch_size.is_multiple_of(*parts));
    divisors
        .map(|accumulation| (accumulation, ClassifierParams { accumulation, ..params.clone() }))
        .map(|(accumulation, params)| (accumulation, classifier_mib(&params)))
        .find(|(_, needed)| *needed <= mib)
}

fn params(submission: &SubmitJob) -> Option<ClassifierParams> {
    let is_classifier = submission.workload.as_str() == classifier::WORKLOAD;
    is_classifier.then(|| ClassifierParams::parse(&submission.params).ok()).flatten()
}

fn name(arch: Arch) -> &'static str {
    match arch {
        Arch::Resnet18 => "resnet18",
        Arch::Resnet34 => "resnet34",
        Arch::Resnet50 => "resnet50",
    }
}

/// The formula above.
fn classifier_mib(params: &ClassifierParams) -> u64 {
    let network = Network::new(params.arch, params.stem, params.image_size.into());
    let (batch, part) = (u64::from(params.batch_size), u64::from(params.batch_size / params.accumulation));
    let (value_bytes, weight_copy) = match params.precision {
        Precision::Fp32 => (4, 0),
        Precision::Bf16 => (2, 2),
    };
    let sums = if 1 < params.accumulation { 4 } else { 0 };
    let weights = network.parameters * (16 + sums + weight_copy);
    let activations = part * (network.saved * value_bytes + network.index_bytes);
    let gradients = part * 2 * network.largest * value_bytes;
    let images = batch * 27 * u64::from(params.image_size).pow(2);
    let bytes = weights + activations + gradients + images;
    (bytes + bytes / 10).div_ceil(MIB) + CONTEXT_MIB
}

/// What there is to count in a ResNet; figures of activations are values of one image.
#[derive(Debug, Default)]
struct Network {
    /// What is learned.
    parameters: u64,
    /// Kept from forward for backward.
    saved: u64,
    /// The indices of the pool, in bytes.
    index_bytes: u64,
    /// The largest single tensor.
    largest: u64,
}

impl Network {
    /// The network of the trainer, layer by layer.
    fn new(arch: Arch, stem: Stem, image_size: u64) -> Self {
        let (depths, expansion): ([u64; 4], u64) = match arch {
            Arch::Resnet18 => ([2, 2, 2, 2], 1),
            Arch::Resnet34 => ([3, 4, 6, 3], 1),
            Arch::Resnet50 => ([3, 4, 6, 3], 4),
        };
        let mut network = Self { saved: 3 * image_size.pow(2), ..Self::default() };
        let mut side = image_size;
        match stem {
            Stem::Imagenet => {
                side = side.div_ceil(2);
                network.conv((3, 64), 7, side, 2);
                side = side.div_ceil(2);
                let pooled = 64 * side.pow(2);
                network.saved += pooled;
                network.index_bytes = pooled * 8;
            }
            Stem::Small => network.conv((3, 64), 3, side, 2),
        }
        let mut input = 64;
        for (stage, depth) in depths.into_iter().enumerate() {
            let width = 64 << stage;
            let output = width * expansion;
            for index in 0..depth {
                let before = side;
                if 0 < stage && index == 0 {
                    side = side.div_ceil(2);
                }
                if expansion == 1 {
                    network.conv((input, width), 3, side, 2);
                    network.conv((width, output), 3, side, 2);
                } else {
                    network.conv((input, width), 1, before, 2);
                    network.conv((width, width), 3, side, 2);
                    network.conv((width, output), 1, side, 2);
                }
                if before != side || input != output {
                    network.conv((input, output), 1, side, 1);
                }
                input = output;
            }
        }
        network.parameters += (input + 1) * IMAGE_CLASSES;
        network
    }

    /// A convolution without bias and the norm behind it, of which `kept` tensors of its output's size are kept.
    fn conv(&mut self, (input, output): (u64, u64), kernel: u64, side: u64, kept: u64) {
        self.parameters += input * output * kernel.pow(2) + 2 * output;
        let values = output * side.pow(2);
        self.saved += kept * values;
        self.largest = self.largest.max(values);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn submission(params: Value) -> SubmitJob {
        serde_json::from_value(json!({ "workload": "classifier", "params": params })).unwrap()
    }

    fn mib(params: Value) -> u64 {
        memory_need(&submission(params)).unwrap().mib
    }

    #[test]
    fn the_parameters_are_those_of_torchvision() {
        let parameters = |arch| Network::new(arch, Stem::Imagenet, 224).parameters;
        assert_eq!(parameters(Arch::Resnet18), 11_689_512);
        assert_eq!(parameters(Arch::Resnet34), 21_797_672);
        assert_eq!(parameters(Arch::Resnet50), 25_557_032);
    }

    /// Counted by hand for the first layers of ResNet-18 at 32 pixels: 3×32² values of the image, 2×64×16² of the
    /// stem, 64×8² of the pool, 16 tensors of 64×8² for the four convolutions of the first stage without its second
    /// half, and so on down; each further stage has a quarter of the pixels and twice the channels.
    #[test]
    fn the_activations_are_those_of_the_layers() {
        let network = Network::new(Arch::Resnet18, Stem::Imagenet, 32);
        let stage = 64 * 8 * 8;
        let stages: u64 =
            [(0, 8), (1, 9), (2, 9), (3, 9)].map(|(halved, kept)| kept * (stage >> halved)).iter().sum();
        assert_eq!(network.saved, 3 * 32 * 32 + 2 * 64 * 16 * 16 + stage + stages);
        assert_eq!((network.largest, network.index_bytes), (64 * 16 * 16, stage * 8));
    }

    #[test]
    fn more_of_anything_needs_more() {
        let base = json!({ "data": "cats", "arch": "resnet34", "batch_size": 64, "image_size": 128 });
        let with = |key: &str, value: Value| {
            let mut params = base.clone();
            params[key] = value;
            mib(params)
        };
        let middle = mib(base.clone());
        assert!(with("arch", json!("resnet18")) < middle && middle < with("arch", json!("resnet50")));
        assert!(with("batch_size", json!(32)) < middle && middle < with("batch_size", json!(65)));
        assert!(with("image_size", json!(96)) < middle && middle < with("image_size", json!(224)));
        assert!(with("precision", json!("bf16")) < middle);
        assert!(with("stem", json!("small")) > middle);
        assert!(with("accumulation", json!(4)) < middle);
        assert_eq!(with("epochs", json!(7)), middle);
    }

    /// The figures of `docs/scheduler.md` and `docs/cli.md`.
    #[test]
    fn the_documentation_has_the_figures() {
        let resnet50 = |batch_size: u32| {
            mib(
                json!({ "data": "imagenet", "arch": "resnet50", "batch_size": batch_size, "image_size": 224 }),
            )
        };
        let small = json!({ "data": "digits", "batch_size": 60, "image_size": 16, "stem": "small" });
        assert_eq!(mib(small), 1303);
        assert_eq!((mib(json!({ "data": "digits" })), resnet50(64), resnet50(192)), (1877, 7743, 20_322));
    }

    /// What is known of ResNet-50 on ImageNet: 64 images fit into 8 GB and not into 6, 256 into 40 GB and not into 16.
    #[test]
    fn the_estimate_is_of_the_size_that_practice_knows() {
        let resnet50 = |batch_size: u32| {
            mib(
                json!({ "data": "imagenet", "arch": "resnet50", "batch_size": batch_size, "image_size": 224 }),
            )
        };
        assert!((6_000..8_192).contains(&resnet50(64)), "{}", resnet50(64));
        assert!((16_384..40_960).contains(&resnet50(256)), "{}", resnet50(256));
    }

    #[test]
    fn what_the_job_says_wins_and_what_nobody_knows_is_not_guessed() {
        let mut asked = submission(json!({ "data": "cats" }));
        asked.resources.memory_mib = Some(777);
        let need = memory_need(&asked).unwrap();
        assert_eq!((need.mib, need.source), (777, MemorySource::Asked));
        assert_eq!(memory_need(&submission(json!({ "data": "cats", "arch": "vgg" }))), None);
        let dit: SubmitJob = serde_json::from_value(json!({ "workload": "dit" })).unwrap();
        assert_eq!(memory_need(&dit), None);
    }

    #[test]
    fn accumulation_makes_a_large_batch_fit() {
        let large = submission(json!({
            "data": "imagenet", "arch": "resnet50", "batch_size": 1024, "image_size": 224
        }));
        let (accumulation, needed) = accumulation_that_fits(&large, 40_960).unwrap();
        assert!(needed <= 40_960 && accumulation == 4, "{accumulation} {needed}");
        assert_eq!(accumulation_that_fits(&large, 900), None);
    }
}
