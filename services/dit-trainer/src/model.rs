//! DiT (Peebles & Xie, arXiv 2212.09748) with adaLN-Zero and the parameter names of its reference implementation, so that
//! weights go both ways. It predicts a velocity for each value of the image; variances, which the reference predicts
//! too, flow matching has no use for.

mod block;
mod embed;
mod initial;
mod patches;

use std::collections::BTreeMap;

use contract::dit::Shape;
use tch::{
    Device, Kind, Tensor,
    nn::{Init, VarStore},
};
use torch::Precision;

use block::{Block, FinalLayer, Stream};
use embed::{PatchEmbed, TimeEmbed, positions};
pub use patches::{patchify, unpatchify};

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DitConfig {
    /// Its numbers.
    pub shape: Shape,
    /// How many classes it can be asked for.
    pub classes: usize,
    /// The arithmetic of its layers; what flows between blocks is fp32 either way.
    pub precision: Precision,
}

impl DitConfig {
    /// Patches of an image.
    pub fn tokens(&self) -> i64 {
        i64::from(self.shape.image_size / self.shape.patch_size).pow(2)
    }

    /// Values of a patch.
    pub fn patch_values(&self) -> i64 {
        i64::from(self.shape.patch_size).pow(2) * 3
    }

    /// The label of an image whose class is not told.
    pub fn no_class(&self) -> i64 {
        self.classes as i64
    }
}

/// The network and its parameters.
#[derive(Debug)]
pub struct Dit {
    config: DitConfig,
    store: VarStore,
    patches: PatchEmbed,
    positions: Tensor,
    time: TimeEmbed,
    classes: Tensor,
    blocks: Vec<Block>,
    last: FinalLayer,
}

impl Dit {
    /// A network with initial values, which depend on the seed and on each parameter's name alone. It predicts zero.
    pub fn new(config: DitConfig, device: Device, seed: u64) -> Self {
        let store = VarStore::new(device);
        let root = store.root();
        let (width, heads) = (i64::from(config.shape.width), i64::from(config.shape.heads));
        let side = config.shape.image_size / config.shape.patch_size;
        let mut pos_embed = root.zeros_no_train("pos_embed", &[1, config.tokens(), width]);
        tch::no_grad(|| pos_embed.copy_(&positions(side, config.shape.width)));
        let table = &root / "y_embedder" / "embedding_table";
        let blocks = &root / "blocks";
        let network = Self {
            config,
            patches: PatchEmbed::new(&(&root / "x_embedder" / "proj"), config.shape.patch_size.into(), width),
            positions: pos_embed,
            time: TimeEmbed::new(&(&root / "t_embedder" / "mlp"), width),
            classes: table.var("weight", &[config.no_class() + 1, width], Init::Const(0.0)),
            blocks: (0..config.shape.depth).map(|i| Block::new(&(&blocks / i), width, heads)).collect(),
            last: FinalLayer::new(&(&root / "final_layer"), width, config.patch_values()),
            store,
        };
        initial::set(&network.store, seed);
        network
    }

    /// What this network is.
    pub fn config(&self) -> &DitConfig {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.store.device()
    }

    /// Patches (N, T, D), times (N) from 0, noise, to 1, image, and labels (N) to velocities (N, T, D) in fp32.
    pub fn forward(&self, patches: &Tensor, times: &Tensor, labels: &Tensor) -> Tensor {
        let kind = self.config.precision.kind();
        let tokens = self.patches.forward(&patches.to_kind(kind)).to_kind(Kind::Float) + &self.positions; // (N, T, W)
        let class = Tensor::embedding(&self.classes, labels, -1, false, false); // (N, W)
        let condition = (self.time.forward(times) + class).silu().to_kind(kind); // (N, W)
        let mut stream = Stream::new(tokens);
        for block in &self.blocks {
            block.forward(&mut stream, &condition);
        }
        self.last.forward(stream, &condition)
    }

    /// Parameters and positions by name; all are part of the model.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.store.variables().into_iter().collect()
    }

    /// What is learned, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.tensors().into_iter().filter(|(_, tensor)| tensor.requires_grad())
    }

    /// A network of the same values that learns nothing.
    pub fn frozen_copy(&self) -> Self {
        let mut copy = Self::new(self.config, self.device(), 0);
        copy.store.copy(&self.store).expect("both are the same network");
        copy.store.freeze();
        copy
    }
}

#[cfg(test)]
mod tests;
