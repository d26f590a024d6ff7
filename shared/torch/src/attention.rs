//! Attention of every token to every other.

use tch::Tensor;

use crate::{Product, native, processor::kind_for_products};

/// Up to this many tokens, attention is written out on the CPU.
const SHORT: i64 = 256;

/// Scaled-dot-product attention (Vaswani et al., arXiv 1706.03762) of every token to every other: queries, keys and values side
/// by side in (N, T, 3 W), each of so many heads side by side, to (N, T, W).
pub fn self_attention(joined: &Product, heads: i64) -> Tensor {
    let values = &joined.values;
    let (_, tokens, _) = values.size3().expect("tokens have three dimensions");
    match &joined.bias {
        Some(bias) if tokens <= SHORT => {
            let wide = values.to_kind(kind_for_products(values));
            native::attention(&wide, bias, heads).to_kind(values.kind())
        }
        _ => fused(&joined.sum(), heads),
    }
}

/// The same by libtorch's fused kernel.
fn fused(joined: &Tensor, heads: i64) -> Tensor {
    let (count, tokens, joined_width) = joined.size3().expect("tokens have three dimensions");
    let width = joined_width / 3;
    let parts = joined.view([count, tokens, 3, heads, width / heads]).permute([2, 0, 3, 1, 4]).unbind(0);
    let [query, key, value] = &parts[..] else {
        unreachable!("it has three parts") // each (N, heads, T, W / heads)
    };
    let attended =
        Tensor::scaled_dot_product_attention(query, key, value, None::<Tensor>, 0.0, false, None, false);
    attended.transpose(1, 2).reshape([count, tokens, width])
}

#[cfg(test)]
mod tests;
