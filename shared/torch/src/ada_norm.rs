//! Adaptive layer norm, as DiT has it (Peebles & Xie, arXiv 2212.09748): tokens are normalised (Ba et al., arXiv
//! 1607.06450) without weights of their own, then scaled and shifted by what an image's condition says.

use tch::{Device, Kind, Tensor};

use crate::{Product, native};

/// Keeps the division sane.
const EPS: f64 = 1e-6;

/// Tokens (N, T, W) in fp32, normalised each by itself, times `1 + scale`, plus `shift` (both (N, W), fp32): in the kind
/// that layers compute in, fp32 or bf16.
pub fn ada_norm(tokens: &Tensor, shift: &Tensor, scale: &Tensor, kind: Kind) -> Tensor {
    if tokens.device() == Device::Cpu {
        return native::ada_norm(tokens, None, shift, scale, EPS, kind).1;
    }
    composed(tokens, shift, scale, kind)
}

/// Tokens (N, T, W) plus `added` (N, T, W), in the kind that layers compute in, times `gate` (N, W); and [`ada_norm`] of
/// that sum.
pub fn add_and_ada_norm(
    tokens: &Tensor,
    gate: &Tensor,
    added: &Product,
    shift: &Tensor,
    scale: &Tensor,
) -> (Tensor, Tensor) {
    let Product { values, bias } = added;
    if let Some(bias) = bias {
        let added = native::Gated { values, bias, gate };
        return native::ada_norm(tokens, Some(&added), shift, scale, EPS, values.kind());
    }
    let sum = tokens.addcmul(&gate.unsqueeze(1), &values.to_kind(Kind::Float));
    let modulated = composed(&sum, shift, scale, values.kind());
    (sum, modulated)
}

/// Of libtorch's own operations.
fn composed(tokens: &Tensor, shift: &Tensor, scale: &Tensor, kind: Kind) -> Tensor {
    let width = tokens.size()[2];
    let normalised = tokens.layer_norm([width], None::<Tensor>, None::<Tensor>, EPS, false);
    shift.unsqueeze(1).addcmul(&normalised, &(scale + 1.0).unsqueeze(1)).to_kind(kind)
}

#[cfg(test)]
mod tests;
