//! What the network is made of: blocks of attention and of a perceptron, each shifted, scaled and gated by the condition
//! (adaLN-Zero).

use tch::{Kind, Tensor, nn::Path};
use torch::Linear;

/// A block.
#[derive(Debug)]
pub(super) struct Block {
    width: i64,
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
            width,
            heads,
            qkv: Linear::new(&(&attn / "qkv"), width, 3 * width),
            proj: Linear::new(&(&attn / "proj"), width, width),
            fc1: Linear::new(&(&mlp / "fc1"), width, 4 * width),
            fc2: Linear::new(&(&mlp / "fc2"), 4 * width, width),
            modulation: Linear::new(&(path / "adaLN_modulation" / 1), width, 6 * width),
        }
    }

    /// Tokens (N, T, W) and the condition (N, W) to tokens.
    pub(super) fn forward(&self, tokens: &Tensor, condition: &Tensor) -> Tensor {
        let parts = self.modulation.forward(condition).to_kind(Kind::Float).unsqueeze(1).chunk(6, -1);
        let [shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp] = &parts[..] else {
            unreachable!("it was cut in six")
        };
        let attended = self.attention(&modulated(tokens, shift_attn, scale_attn, condition.kind()));
        let tokens = tokens.addcmul(gate_attn, &attended.to_kind(Kind::Float));
        let hidden =
            self.fc1.forward(&modulated(&tokens, shift_mlp, scale_mlp, condition.kind())).gelu("tanh");
        tokens.addcmul(gate_mlp, &self.fc2.forward(&hidden).to_kind(Kind::Float))
    }

    /// Every token looks at every other: (N, T, W) to the same.
    fn attention(&self, tokens: &Tensor) -> Tensor {
        let (count, length, _) = tokens.size3().expect("tokens have three dimensions");
        let heads = self.qkv.forward(tokens).view([count, length, 3, self.heads, self.width / self.heads]);
        let [query, key, value] = &heads.permute([2, 0, 3, 1, 4]).unbind(0)[..] else {
            unreachable!("it has three parts") // each (N, heads, T, W / heads)
        };
        let attended =
            Tensor::scaled_dot_product_attention(query, key, value, None::<Tensor>, 0.0, false, None, false);
        self.proj.forward(&attended.transpose(1, 2).reshape([count, length, self.width]))
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

    /// Tokens (N, T, W) and the condition (N, W) to patches (N, T, outputs) in fp32.
    pub(super) fn forward(&self, tokens: &Tensor, condition: &Tensor) -> Tensor {
        let parts = self.modulation.forward(condition).to_kind(Kind::Float).unsqueeze(1).chunk(2, -1);
        let [shift, scale] = &parts[..] else { unreachable!("it was cut in two") };
        self.linear.forward(&modulated(tokens, shift, scale, condition.kind())).to_kind(Kind::Float)
    }
}

/// Normalised over each token (Ba et al., arXiv 1607.06450), then scaled and shifted, in the kind that layers compute in.
fn modulated(tokens: &Tensor, shift: &Tensor, scale: &Tensor, kind: Kind) -> Tensor {
    let width = tokens.size()[2];
    let normalised = tokens.layer_norm([width], None::<Tensor>, None::<Tensor>, 1e-6, false);
    shift.addcmul(&normalised, &(scale + 1.0)).to_kind(kind)
}
