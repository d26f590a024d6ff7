//! What the network is made of: blocks of attention and of a perceptron, each shifted, scaled and gated by the condition
//! (adaLN-Zero).
//!
//! What a part adds is gated and added where the next one begins, because there it can be done in the same pass.

use tch::{Kind, Tensor, nn::Path};
use torch::{Linear, Product, ada_norm, add_and_ada_norm, gelu, self_attention};

/// Tokens, and what the last part has to add to them yet.
pub(super) struct Stream {
    /// (N, T, W) in fp32.
    tokens: Tensor,
    /// What is added, (N, T, W), and how much of it, (N, W).
    rest: Option<(Product, Tensor)>,
}

impl Stream {
    /// Tokens (N, T, W) in fp32.
    pub(super) fn new(tokens: Tensor) -> Self {
        Self { tokens, rest: None }
    }

    /// Adds what is left to add, and gives all of it normalised, scaled and shifted.
    fn modulated(&mut self, shift: &Tensor, scale: &Tensor, kind: Kind) -> Tensor {
        match self.rest.take() {
            None => ada_norm(&self.tokens, shift, scale, kind),
            Some((added, gate)) => {
                let (sum, modulated) = add_and_ada_norm(&self.tokens, &gate, &added, shift, scale);
                self.tokens = sum;
                modulated
            }
        }
    }
}

/// A block.
#[derive(Debug)]
pub(super) struct Block {
    heads: i64,
    qkv: Linear,
    proj: Linear,
    fc1: Linear,
    fc2: Linear,
    modulation: Linear,
}

impl Block {
    pub(super) fn new(path: &Path<'_>, width: i64, heads: i64) -> Self {
        let (attn, mlp) = (path / "attn", path / "mlp");
        Self {
            heads,
            qkv: Linear::new(&(&attn / "qkv"), width, 3 * width),
            proj: Linear::new(&(&attn / "proj"), width, width),
            fc1: Linear::new(&(&mlp / "fc1"), width, 4 * width),
            fc2: Linear::new(&(&mlp / "fc2"), 4 * width, width),
            modulation: Linear::new(&(path / "adaLN_modulation" / 1), width, 6 * width),
        }
    }

    /// Lets tokens through, with the condition (N, W).
    pub(super) fn forward(&self, stream: &mut Stream, condition: &Tensor) {
        let parts = self.modulation.forward(condition).to_kind(Kind::Float).chunk(6, -1);
        let [shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp] = &parts[..] else {
            unreachable!("it was cut in six") // each (N, W)
        };
        let attended = self.attention(&stream.modulated(shift_attn, scale_attn, condition.kind()));
        stream.rest = Some((attended, gate_attn.shallow_clone()));
        let hidden = gelu(&self.fc1.product(&stream.modulated(shift_mlp, scale_mlp, condition.kind())));
        stream.rest = Some((self.fc2.product(&hidden), gate_mlp.shallow_clone()));
    }

    /// Every token looks at every other: (N, T, W) to the same.
    fn attention(&self, tokens: &Tensor) -> Product {
        self.proj.product(&self_attention(&self.qkv.product(tokens), self.heads))
    }
}

/// What makes velocities of tokens.
#[derive(Debug)]
pub(super) struct FinalLayer {
    linear: Linear,
    modulation: Linear,
}

impl FinalLayer {
    pub(super) fn new(path: &Path<'_>, width: i64, outputs: i64) -> Self {
        Self {
            linear: Linear::new(&(path / "linear"), width, outputs),
            modulation: Linear::new(&(path / "adaLN_modulation" / 1), width, 2 * width),
        }
    }

    /// Tokens and the condition (N, W) to patches (N, T, outputs) in fp32.
    pub(super) fn forward(&self, mut stream: Stream, condition: &Tensor) -> Tensor {
        let parts = self.modulation.forward(condition).to_kind(Kind::Float).chunk(2, -1);
        let [shift, scale] = &parts[..] else { unreachable!("it was cut in two") };
        self.linear.forward(&stream.modulated(shift, scale, condition.kind())).to_kind(Kind::Float)
    }
}
