use super::*;
use crate::random::{Purpose, normal_on};

#[test]
fn a_product_is_the_same_as_a_convolution() {
    crate::use_threads(1);
    let numbers = |shape: &[i64], seed| normal_on(Device::Cpu, shape, seed, Purpose::Noise, (0, 0));
    let there_and_back = |product: fn(&Tensor, &Tensor, Option<&Tensor>) -> Tensor| {
        let operands = [numbers(&[2, 5, 12], 1), numbers(&[7, 12], 2), numbers(&[7], 3)]
            .map(|operand| operand.set_requires_grad(true));
        let [input, weight, bias] = &operands;
        let output = product(input, weight, Some(bias));
        (&output * numbers(&[2, 5, 7], 4)).sum(Kind::Float).backward();
        let mut seen = vec![output.detach()];
        seen.extend(operands.iter().map(Tensor::grad));
        seen
    };
    let convolved = there_and_back(as_convolution);
    let multiplied = there_and_back(|input, weight, bias| input.linear(weight, bias));
    for (a, b) in convolved.iter().zip(&multiplied) {
        assert_eq!(a.size(), b.size());
        assert!((a - b).abs().max().double_value(&[]) < 1e-5);
    }
}
