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
//! value takes 4 bytes, in bf16 2. How many classes of images there are is not known before the data is read; 1,000 are
//! assumed.

use contract::classifier::{Arch, ClassifierParams, Stem};

use super::{precision_bytes, sum_bytes};

/// Classes of images assumed, as in ImageNet.
const IMAGE_CLASSES: u64 = 1000;

/// The network, as people call it.
pub(super) fn name(params: &ClassifierParams) -> &'static str {
    match params.arch {
        Arch::Resnet18 => "resnet18",
        Arch::Resnet34 => "resnet34",
        Arch::Resnet50 => "resnet50",
    }
}

/// The formula above.
pub(super) fn bytes(params: &ClassifierParams) -> u64 {
    let network = Network::new(params.arch, params.stem, params.image_size.into());
    let (batch, part) = (u64::from(params.batch_size), u64::from(params.batch_size / params.accumulation));
    let (value_bytes, weight_copy) = precision_bytes(params.precision);
    let weights = network.parameters * (16 + sum_bytes(params.accumulation) + weight_copy);
    let activations = part * (network.saved * value_bytes + network.index_bytes);
    let gradients = part * 2 * network.largest * value_bytes;
    let images = batch * 27 * u64::from(params.image_size).pow(2);
    weights + activations + gradients + images
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
    use super::*;

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
}
