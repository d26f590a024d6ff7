use tch::{Device, Kind};

use super::*;
use crate::random::{Purpose, normal_on};

/// Queries, keys and values of three heads, and a bias.
fn given(shape: &[i64]) -> [Tensor; 2] {
    let width = shape[shape.len() - 1];
    [shape, &[width]].map(|shape| normal_on(Device::Cpu, shape, 1, Purpose::Noise, (0, 0)))
}

/// What comes out, and what goes back to the values and their bias where each value counts differently.
fn attended(values: &Tensor, bias: &Tensor, way: fn(&Product, i64) -> Tensor) -> [Tensor; 3] {
    let [values, bias] = [values, bias].map(|tensor| tensor.detach().set_requires_grad(true));
    let joined = Product { values: values.shallow_clone(), bias: Some(bias.shallow_clone()) };
    let output = way(&joined, 3);
    let weights = Tensor::arange(output.numel() as i64, (Kind::Float, Device::Cpu)).cos();
    let loss = (output.to_kind(Kind::Float).flatten(0, -1) * weights).sum(Kind::Float);
    let [of_values, of_bias] = crate::gradients(&loss, &[values, bias]).try_into().expect("there are two");
    [output.detach(), of_values, of_bias]
}

#[test]
fn it_is_the_same_however_it_is_computed() {
    crate::use_threads(1);
    let [joined, bias] = given(&[2, 16, 3 * 24]);
    let by_libtorch = attended(&joined, &bias, |joined, heads| fused(&joined.sum(), heads));
    for (kind, tolerance) in [(Kind::Float, 1e-5), (Kind::BFloat16, 0.03)] {
        let written_out = attended(&joined.to_kind(kind), &bias, self_attention);
        for ((ours, theirs), kind) in written_out.iter().zip(&by_libtorch).zip([kind, kind, Kind::Float]) {
            assert_eq!((ours.size(), ours.kind()), (theirs.size(), kind));
            let apart = (ours.to_kind(Kind::Float) - theirs).abs().max().double_value(&[]);
            assert!(apart < tolerance * theirs.abs().max().double_value(&[]), "{kind:?}: {apart}");
        }
    }
}

#[test]
fn it_has_the_same_bits_with_any_number_of_threads_and_wherever_the_values_lie() {
    let [joined, bias] = given(&[4, 64, 3 * 96]);
    for kind in [Kind::Float, Kind::BFloat16] {
        let bits = |joined: &Tensor, threads| {
            crate::use_threads(threads);
            attended(joined, &bias, self_attention)
        };
        let joined = joined.to_kind(kind);
        let one = bits(&joined, 1);
        let turned = joined.transpose(0, 1).contiguous().transpose(0, 1);
        for other in [bits(&joined, 2), bits(&turned, 2)] {
            assert!(one.iter().zip(&other).all(|(one, other)| one.equal(other)), "{kind:?}");
        }
    }
}
