use tch::nn::VarStore;

use super::*;
use crate::random::{Purpose, normal_on};

/// Activations (2, C, 5, 3), channels last, with a mean far from zero, and what is added to them.
fn activations(channels: i64, kind: Kind) -> [Tensor; 2] {
    [1, 2].map(|seed| {
        let numbers =
            normal_on(Device::Cpu, &[2, channels, 5, 3], seed, Purpose::Noise, (0, 0)) + 3.0 * seed as f64;
        channels_last(&numbers.to_kind(kind)).set_requires_grad(true)
    })
}

/// A norm whose weights are not those it begins with.
fn norm(channels: i64) -> (VarStore, BatchNorm2d) {
    let store = VarStore::new(Device::Cpu);
    let norm = BatchNorm2d::new(&store.root(), channels);
    for (mut tensor, seed) in [(norm.weight.shallow_clone(), 3), (norm.bias.shallow_clone(), 4)] {
        tch::no_grad(|| tensor += normal_on(Device::Cpu, &[channels], seed, Purpose::Noise, (0, 0)) * 0.5);
    }
    (store, norm)
}

/// What comes out, and what comes back to the input, what was added, the weight and the bias; then the running statistics.
fn there_and_back(
    channels: i64,
    kind: Kind,
    way: impl Fn(&BatchNorm2d, &Tensor, &Tensor) -> Tensor,
) -> Vec<Tensor> {
    let (_store, norm) = norm(channels);
    let [input, added] = activations(channels, kind);
    let output = way(&norm, &input, &added);
    let up = normal_on(Device::Cpu, &output.size(), 5, Purpose::Noise, (0, 0));
    (output.to_kind(Kind::Float) * up).sum(Kind::Float).backward();
    let mut seen = vec![output.detach()];
    seen.extend([&input, &added, &norm.weight, &norm.bias].map(Tensor::grad));
    seen.extend([&norm.running_mean, &norm.running_var].map(Tensor::shallow_clone));
    seen
}

fn composed(norm: &BatchNorm2d, input: &Tensor, added: Option<&Tensor>, relu: bool) -> Tensor {
    let mut output = norm.composed(input, Mode::Train);
    if let Some(added) = added {
        output += added;
    }
    if relu { output.relu() } else { output }
}

#[test]
fn a_norm_in_one_go_is_what_libtorchs_operations_come_to() {
    crate::use_threads(1);
    for (channels, kind, tolerance) in
        [(64, Kind::Float, 1e-5), (37, Kind::Float, 1e-5), (64, Kind::BFloat16, 0.03)]
    {
        for (adds, relu) in [(false, false), (false, true), (true, true)] {
            // The gradient of what takes no part is left undefined.
            let added = |added: &Tensor| adds.then(|| added.shallow_clone());
            let fused = there_and_back(channels, kind, |norm, input, other| {
                norm.fused(input, added(other).as_ref(), relu)
            });
            let composed = there_and_back(channels, kind, |norm, input, other| {
                composed(norm, input, added(other).as_ref(), relu)
            });
            for (index, (a, b)) in fused.iter().zip(&composed).enumerate() {
                assert_eq!(a.defined(), b.defined(), "{index}");
                if a.defined() {
                    assert_eq!((a.size(), a.kind()), (b.size(), b.kind()), "{index}");
                    let [a, b] = [a, b].map(|tensor| tensor.to_kind(Kind::Float));
                    let apart = (&a - &b).abs().max().double_value(&[]);
                    let largest = b.abs().max().double_value(&[]).max(1.0);
                    assert!(
                        apart <= tolerance * largest,
                        "{channels} {kind:?} {adds} {relu}: {index} by {apart}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_norm_in_one_go_has_the_same_bits_with_any_number_of_threads() {
    let bits = |threads| {
        crate::use_threads(threads);
        let (_store, norm) = norm(96);
        let input = channels_last(&normal_on(Device::Cpu, &[4, 96, 24, 24], 1, Purpose::Noise, (0, 0)));
        let input = input.set_requires_grad(true);
        let output = norm.fused(&input, Some(&input.detach()), true);
        output.square().sum(Kind::Float).backward();
        [
            output.detach(),
            input.grad(),
            norm.weight.grad(),
            norm.bias.grad(),
            norm.running_var.shallow_clone(),
        ]
    };
    for (a, b) in bits(1).iter().zip(&bits(2)) {
        assert!(a.equal(b));
    }
}

#[test]
fn one_value_a_channel_has_no_variance_and_is_no_trouble() {
    let (_store, norm) = norm(8);
    let input = Tensor::full([1, 8, 1, 1], 2.5, (Kind::Float, Device::Cpu));
    let output = norm.fused(&input, None, false);
    // A deviation of nearly nothing makes large factors, whose last digits show.
    assert!((output.flatten(0, -1) - &norm.bias).abs().max().double_value(&[]) < 1e-3);
    assert!(norm.running_var.isfinite().all().int64_value(&[]) == 1);
}
