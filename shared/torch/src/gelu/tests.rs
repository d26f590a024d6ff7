use tch::{Device, Kind};

use super::*;

/// A bias that is different for each value of a row.
fn bias_of(values: &Tensor) -> Tensor {
    Tensor::arange(values.size()[values.dim() - 1], (Kind::Float, Device::Cpu)).sin()
}

/// What comes out, and what goes back to the values and their bias where each value counts differently.
fn there_and_back(values: &Tensor, bias: &Tensor, way: fn(&Product) -> Tensor) -> [Tensor; 3] {
    let [values, bias] = [values, bias].map(|tensor| tensor.detach().set_requires_grad(true));
    let output = way(&Product { values: values.shallow_clone(), bias: Some(bias.shallow_clone()) });
    let weights = Tensor::arange(output.numel() as i64, (Kind::Double, Device::Cpu)).cos();
    let loss = (output.to_kind(Kind::Double).flatten(0, -1) * weights).sum(Kind::Double);
    let [of_values, of_bias] = crate::gradients(&loss, &[values, bias]).try_into().expect("there are two");
    [output.detach(), of_values, of_bias]
}

#[test]
fn it_is_what_libtorch_computes_in_double_precision() {
    crate::use_threads(2);
    let line = Tensor::linspace(-12.0, 12.0, 30_000, (Kind::Float, Device::Cpu)).view([400, 75]);
    // Of bf16, one value in 256 is told from the next.
    for (kind, tolerance) in [(Kind::Float, 1e-6), (Kind::BFloat16, 1.0 / 256.0)] {
        let values = line.to_kind(kind);
        let bias = bias_of(&values);
        let ours = there_and_back(&values, &bias, gelu);
        let exact = there_and_back(&values.to_kind(Kind::Double), &bias.to_kind(Kind::Double), |input| {
            input.sum().gelu("tanh")
        });
        for (ours, exact) in ours[..2].iter().zip(&exact) {
            assert_eq!((ours.size(), ours.kind()), (exact.size(), kind));
            let apart = ((ours - exact).abs() / (exact.abs() + 1.0)).max().double_value(&[]);
            assert!(apart <= tolerance, "{kind:?}: {apart}");
        }
        // Each is a sum of 400 values, whose errors are of either sign.
        assert_eq!((ours[2].size(), ours[2].kind()), (exact[2].size(), Kind::Float));
        let apart = (&ours[2] - &exact[2]).abs().max().double_value(&[]);
        assert!(apart <= 50.0 * tolerance, "{kind:?}: {apart}");
    }
}

#[test]
fn values_may_lie_apart_and_are_the_same_with_any_number_of_threads() {
    let values = Tensor::linspace(-5.0, 5.0, 60_000, (Kind::Float, Device::Cpu)).view([300, 200]).tr();
    let run = |values: &Tensor, threads| {
        crate::use_threads(threads);
        there_and_back(values, &bias_of(values), gelu)
    };
    let one = run(&values, 1);
    assert_eq!(one[0].size(), [200, 300]);
    for other in [run(&values, 2), run(&values.contiguous(), 2)] {
        assert!(one.iter().zip(&other).all(|(one, other)| one.equal(other)));
    }
}

#[test]
fn what_is_no_number_stays_none_and_what_is_huge_stays_itself_or_vanishes() {
    let values = Tensor::from_slice(&[f32::NAN, 1e6, -1e6, 0.0]);
    let [output, gradient, _] = there_and_back(&values, &values.zeros_like(), gelu);
    let [none, huge, gone, zero] = [0, 1, 2, 3].map(|index| output.double_value(&[index]));
    assert!(none.is_nan() && gradient.double_value(&[0]).is_nan());
    assert!((huge / 1e6 - 1.0).abs() < 1e-6);
    assert!((-1e-6..=0.0).contains(&gone), "{gone}");
    assert!(zero == 0.0);
}
