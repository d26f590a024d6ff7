use tch::Kind;

use super::*;

/// What comes out, and what goes back to the input where each value counts differently.
fn there_and_back(input: &Tensor, way: fn(&Tensor) -> Tensor) -> [Tensor; 2] {
    let input = input.detach().set_requires_grad(true);
    let output = way(&input);
    let weights = Tensor::arange(output.numel() as i64, (Kind::Double, Device::Cpu)).cos();
    let loss = (output.to_kind(Kind::Double).flatten(0, -1) * weights).sum(Kind::Double);
    let gradient = crate::gradients(&loss, &[input]).remove(0);
    [output.detach(), gradient]
}

#[test]
fn it_is_what_libtorch_computes_in_double_precision() {
    crate::use_threads(2);
    let line = Tensor::linspace(-12.0, 12.0, 30_001, (Kind::Float, Device::Cpu));
    // Of bf16, one value in 256 is told from the next.
    for (kind, tolerance) in [(Kind::Float, 1e-6), (Kind::BFloat16, 1.0 / 256.0)] {
        let input = line.to_kind(kind);
        let ours = there_and_back(&input, gelu);
        let exact = there_and_back(&input.to_kind(Kind::Double), |input| input.gelu("tanh"));
        for (ours, exact) in ours.iter().zip(&exact) {
            assert_eq!((ours.size(), ours.kind()), (exact.size(), kind));
            let apart = ((ours - exact).abs() / (exact.abs() + 1.0)).max().double_value(&[]);
            assert!(apart <= tolerance, "{kind:?}: {apart}");
        }
    }
}

#[test]
fn values_may_lie_apart_and_are_the_same_with_any_number_of_threads() {
    let values = Tensor::linspace(-5.0, 5.0, 60_000, (Kind::Float, Device::Cpu)).view([300, 200]);
    let run = |threads| {
        crate::use_threads(threads);
        there_and_back(&values.tr(), gelu)
    };
    let (one, two) = (run(1), run(2));
    assert_eq!(one[0].size(), [200, 300]);
    assert!(one.iter().zip(&two).all(|(one, two)| one.equal(two)));
    let [output, _] = there_and_back(&values, gelu);
    assert!(output.tr().equal(&one[0]));
}

#[test]
fn what_is_no_number_stays_none_and_what_is_huge_stays_itself_or_vanishes() {
    let input = Tensor::from_slice(&[f32::NAN, 1e6, -1e6, 0.0]);
    let [output, gradient] = there_and_back(&input, gelu);
    let [none, huge, gone, zero] = [0, 1, 2, 3].map(|index| output.double_value(&[index]));
    assert!(none.is_nan() && gradient.double_value(&[0]).is_nan());
    assert!((huge / 1e6 - 1.0).abs() < 1e-6);
    assert!((-1e-6..=0.0).contains(&gone), "{gone}");
    assert!(zero == 0.0);
}
