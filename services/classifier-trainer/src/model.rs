//! ResNet (He et al., arXiv 1512.03385) with torchvision's parameter names.

mod block;
mod initial;

use std::collections::BTreeMap;

use contract::classifier::{Arch, Stem};
use tch::{
    Device, Kind, Tensor,
    nn::{Path, VarStore},
};
use torch::{Linear, Mode, Precision};

use block::{Block, ConvNorm};

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResNetConfig {
    /// How deep.
    pub arch: Arch,
    /// How it begins.
    pub stem: Stem,
    /// How many classes it tells apart.
    pub classes: usize,
    /// The arithmetic of its activations.
    pub precision: Precision,
}

/// The network and its parameters.
#[derive(Debug)]
pub struct ResNet {
    config: ResNetConfig,
    store: VarStore,
    conv1: ConvNorm,
    blocks: Vec<Block>,
    fc: Linear,
}

impl ResNet {
    /// A network with initial values, which depend on the seed and on each parameter's name alone.
    pub fn new(config: ResNetConfig, device: Device, seed: u64) -> Self {
        let store = VarStore::new(device);
        let root = store.root();
        let (kernel, stride) = match config.stem {
            Stem::Imagenet => (7, 2),
            Stem::Small => (3, 1),
        };
        let conv1 = ConvNorm::new(&root, ("conv1", "bn1"), (3, 64), kernel, stride);
        let (blocks, features) = stages(&root, config.arch);
        let fc = Linear::new(&(&root / "fc"), features, config.classes as i64);
        initial::set(&store, seed);
        Self { config, store, conv1, blocks, fc }
    }

    /// What this network is.
    pub fn config(&self) -> &ResNetConfig {
        &self.config
    }

    /// Normalised images (N, 3, H, W) to logits (N, classes) in fp32.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Tensor {
        let images = images.to_kind(self.config.precision.kind());
        let mut features = self.conv1.forward_relu(&images, None, mode); // (N, 64, H/2, W/2); small stem: H, W
        if self.config.stem == Stem::Imagenet {
            features = features.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false); // (N, 64, H/4, W/4)
        }
        for block in &self.blocks {
            features = block.forward(features, mode); // each stage but the first: twice the channels, half H and W
        }
        let pooled = features.mean_dim([2, 3].as_slice(), false, Kind::Float); // (N, features)
        self.fc.forward(&pooled)
    }

    /// Parameters and running statistics by name; all are part of the model.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.store.variables().into_iter().collect()
    }

    /// What is learned, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.tensors().into_iter().filter(|(_, tensor)| tensor.requires_grad())
    }
}

/// The four stages, and how many features come out of the last.
fn stages(root: &Path<'_>, arch: Arch) -> (Vec<Block>, i64) {
    let (depths, expansion) = match arch {
        Arch::Resnet18 => ([2, 2, 2, 2], 1),
        Arch::Resnet34 => ([3, 4, 6, 3], 1),
        Arch::Resnet50 => ([3, 4, 6, 3], 4),
    };
    let mut blocks = Vec::new();
    let mut input = 64;
    for (stage, depth) in depths.into_iter().enumerate() {
        let path = root / format!("layer{}", stage + 1);
        let width = 64 << stage;
        for index in 0..depth {
            let stride = if 0 < stage && index == 0 { 2 } else { 1 };
            blocks.push(Block::new(&(&path / index), input, width, expansion, stride));
            input = width * expansion;
        }
    }
    (blocks, input)
}

#[cfg(test)]
mod tests;
